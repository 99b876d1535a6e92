#pragma once
#include <ember/ember.h>

/// What a classifier must beat: share of the test samples, 0 to 1, that simple methods tell right. Both see each
/// feature standardised by mean and deviation of the training samples.

/// Softmax regression on the flattened samples, trained until it stops getting better at the training samples.
double linearAccuracy(const ember::data::TensorDataset& train, const ember::data::TensorDataset& test, ember::u64 seed);

/// The class of the training sample at the smallest Euclidean distance.
double nearestNeighbourAccuracy(const ember::data::TensorDataset& train, const ember::data::TensorDataset& test);
