#pragma once
#include <string>
#include <vector>

#include <ember/ember.h>

/// How well each class was told, as a table: precision (share of right answers among those that said it), recall (share
/// of its pictures that were told right), F1 (their harmonic mean), number of pictures.
std::string classTable(const ember::optim::Evaluation& evaluation, const std::vector<std::string>& classNames);

/// What was taken for what: a row for each true class, a column for each answer; nothing stands for 0.
std::string confusionMatrix(const ember::optim::Evaluation& evaluation, const std::vector<std::string>& classNames);
