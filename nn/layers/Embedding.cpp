#include <ember/nn/layers/Embedding.h>

#include <ember/autograd/ops/Embedding.h>
#include <ember/core/Error.h>
#include <ember/nn/Init.h>

namespace ember::nn {

Embedding::Embedding(i64 rows, i64 dim, EmbeddingOptions options) : rows_(rows), dim_(dim), options_(options) {
  if (rows < 1 || dim < 1) {
    throw ValueError("Embedding", std::to_string(rows) + " rows of " + std::to_string(dim), {},
                     "both must be 1 or more");
  }
  if (options.padding && (*options.padding < -rows || *options.padding >= rows)) {
    throw ValueError("Embedding", "padding is row " + std::to_string(*options.padding) + " of " + std::to_string(rows));
  }
  weight = init::blank({rows, dim});
  init::normal_(weight);
  if (options.padding && !weight.isShapeOnly()) weight.select(0, *options.padding).fill_(0);
  weight = addParameter("weight", weight);
}

Tensor Embedding::forward(const Tensor& indices) { return embedding(indices, weight, options_.padding); }

Args Embedding::args() const {
  Args a{{"rows", rows_}, {"dim", dim_}};
  if (options_.padding) a.set("padding", *options_.padding);
  return a;
}

Embedding Embedding::fromArgs(const Args& a) {
  EmbeddingOptions options;
  if (a.has("padding")) options.padding = a.get<i64>("padding");
  return Embedding(a.get<i64>("rows"), a.get<i64>("dim"), options);
}

std::string Embedding::details() const {
  return std::to_string(rows_) + " x " + std::to_string(dim_) +
         (options_.padding ? ", padding " + std::to_string(*options_.padding) : "");
}

GroupedLinear::GroupedLinear(i64 in, i64 out, i64 groups, GroupedLinearOptions options)
    : in_(in), out_(out), groups_(groups) {
  if (in < 1 || out < 1 || groups < 1 || in % groups != 0 || out % groups != 0) {
    throw ValueError(
        "GroupedLinear",
        std::to_string(in) + " inputs and " + std::to_string(out) + " outputs in " + std::to_string(groups) + " groups",
        {}, "all must be 1 or more, and the groups divide inputs and outputs");
  }
  weight = addParameter("weight", init::blank({groups, out / groups, in / groups}));
  if (options.bias) bias = addParameter("bias", init::blank({out}));
  init::uniformByInputs_(weight, bias, in / groups);
}

Tensor GroupedLinear::forward(const Tensor& x) { return groupedLinear(x, weight, bias); }

Args GroupedLinear::args() const { return {{"in", in_}, {"out", out_}, {"groups", groups_}, {"bias", bias.defined()}}; }

GroupedLinear GroupedLinear::fromArgs(const Args& a) {
  return GroupedLinear(a.get<i64>("in"), a.get<i64>("out"), a.get<i64>("groups"), {.bias = a.get<bool>("bias")});
}

std::string GroupedLinear::details() const {
  return std::to_string(in_) + " -> " + std::to_string(out_) + " in " + std::to_string(groups_) + " groups" +
         (bias.defined() ? "" : ", no bias");
}

}  // namespace ember::nn
