// Names that stand for values: one table gives the value, the list of names and the error message.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <likewise/error.hpp>
#include <likewise/value.hpp>

namespace likewise::detail {

/// "one of 'union', 'mutual'"
inline std::string one_of(const std::vector<std::string>& words) {
  std::string list = "one of ";
  for (std::size_t i = 0; i < words.size(); ++i) list += (i == 0 ? "" : ", ") + quoted(words[i]);
  return list;
}

inline void require_word(const std::string& word, const std::string& argument,
                         const std::vector<std::string>& words, const std::string& instead = "") {
  for (const std::string& known : words)
    if (word == known) return;
  refuse(argument, instead + one_of(words), quoted(word));
}

template <class V> using NameTable = std::vector<std::pair<std::string, V>>;

template <class V> std::vector<std::string> names_of(const NameTable<V>& table) {
  std::vector<std::string> names;
  for (const auto& entry : table) names.push_back(entry.first);
  return names;
}

template <class V>
V value_named(const std::string& name, const std::string& argument, const NameTable<V>& table) {
  for (const auto& [known, value] : table)
    if (name == known) return value;
  refuse(argument, one_of(names_of(table)), quoted(name));
}

}  // namespace likewise::detail
