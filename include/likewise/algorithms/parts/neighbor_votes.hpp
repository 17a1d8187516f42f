// What the weighted neighbors of queries say: means of targets and votes for classes. Sums first, then one division.
// k_neighbors.hpp has the methods; these functions read points, targets and labels where they are.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include <likewise/mechanism.hpp>
#include <likewise/undivided_rows.hpp>

namespace likewise {

/// Calls use(first, rows) for blocks of queries first, first + 1, ... in ascending order: their neighbors' weights. The keys
/// were prepared under the mechanism's metric. X
/// nullptr: the keys themselves, each without itself. Within a radius a block holds so many queries that edges stay few.
template <class T>
void visit_neighbors(const Mechanism& mechanism, const Points<T>* X, const PreparedKeys<T>& keys,
                     const Execution& run,
                     const std::function<void(Index first, const UndividedRows& rows)>& use);

/// The same of rows that are there already: one block.
void visit_rows(const UndividedRows& rows, const Execution& run,
                const std::function<void(Index first, const UndividedRows& rows)>& use);

/// Rows that are given: of query i the weights >= 0 of keys indices[ends[i]] ... by ascending distance. Where a row's
/// weights are all 0 its first key, the nearest, counts alone. Throws for a weight that is negative or not finite.
UndividedRows given_rows(const std::vector<Index>& ends, const std::vector<Index>& indices,
                         const Vector<double>& weights, Index n_keys);

/// (n_rows, c): sum_j w_j y_j / mass; 0 in a row without mass.
Matrix<double> means_of(const UndividedRows& rows, const Values<double>& targets, const Execution& run);
/// The sum of the weights of each class divided by the sum of these sums, so that no share is above 1: (n_rows,
/// n_classes). Equal weights give counts.
void put_shares(const UndividedRows& rows, std::span<const Index> labels, Tile<double> shares,
                const Execution& run);
/// The class with the largest sum, the lowest among equals; -1 in a row without mass. O(neighbors) a row.
std::vector<Index> winners_of(const UndividedRows& rows, std::span<const Index> labels, Index n_classes,
                              const Execution& run);
/// The rows without mass.
std::vector<bool> empty_rows(const UndividedRows& rows);

}  // namespace likewise
