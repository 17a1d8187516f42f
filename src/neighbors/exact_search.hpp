// Every pair by its definition, where bounds would take longer to prepare than they save.
#pragma once

#include <memory>

#include "neighbors/bounded_search.hpp"

namespace likewise::neighbors {

/// For a few queries of keys that no search has prepared yet, and for rows that want a large part of all keys.
std::unique_ptr<const BoundedSearch> make_exact_search(const SearchTerms& terms);

}  // namespace likewise::neighbors
