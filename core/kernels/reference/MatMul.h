#pragma once
#include <ember/core/kernels/MatrixView.h>

/// Matrix products as plain loops: the oracle for oneDNN and BLAS, and what runs where neither fits.
namespace ember::core::reference {

/// y += a · b, summed in f64 in order of the inner axis; f32 or f64, y row-major, batch axes equal or 1, any strides.
void addProduct(const MatrixView& a, const MatrixView& b, const NDArray& y);
/// Adds the contiguous `row` [columns] to every row of the row-major y.
void addToRows(const NDArray& y, const NDArray& row);

}  // namespace ember::core::reference
