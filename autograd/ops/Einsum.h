#pragma once
#include <string>

#include <ember/autograd/Tensor.h>

namespace ember {

/// Sums of products after Einstein: each operand's axes are named by letters, and what the output does not name is
/// summed.
///
///   einsum("ik,kj->ij", {a, b})      a matrix product       einsum("bi,bj->bij", {x, y})   outer products of a batch
///   einsum("ii->i", {a})             a diagonal             einsum("...ij->...ji", {x})    the last two axes turned
///
/// "..." stands for all further axes, which broadcast. A letter has one size everywhere (or 1, which broadcasts); twice
/// in an operand it means the diagonal. Without "->" the output has the axes of "..." and, in alphabetical order, the
/// letters that occur once. Spaces don't count. Operands f32 or f64 of one type; contracted from left to right by
/// matmul.
///
/// Differentiable any number of times. Throws ValueError for an equation that makes no sense, ShapeError where it does
/// not fit the operands. Semantics as torch.einsum.
Tensor einsum(const std::string& equation, const Tensors& operands);

}  // namespace ember
