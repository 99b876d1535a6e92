// What a user of NumPy expects, against the numbers that PyTorch gives (tests/golden/generate_numpy.py).
#include <string>

#include <doctest/doctest.h>
#include <ember/autograd/ops/Ops.h>

#include "autograd/GoldenCalls.h"

using namespace ember;
using namespace ember::test;

namespace {

Calls functions() {
  Calls calls;
  calls["expm1"] = one(expm1);
  calls["log1p"] = one(log1p);
  calls["log2"] = one(log2);
  calls["rsqrt"] = one(rsqrt);
  calls["reciprocal"] = one(reciprocal);
  calls["tan"] = one(tan);
  calls["asin"] = one(asin);
  calls["acos"] = one(acos);
  calls["atan"] = one(atan);
  calls["sinh"] = one(sinh);
  calls["cosh"] = one(cosh);
  calls["asinh"] = one(asinh);
  calls["acosh"] = one(acosh);
  calls["atanh"] = one(atanh);
  calls["floor"] = one(floor);
  calls["ceil"] = one(ceil);
  calls["round"] = one(round);
  calls["trunc"] = one(trunc);
  calls["sign"] = one(sign);
  calls["fmod"] = two(fmod);
  calls["remainder"] = two(remainder);
  calls["powOf"] = two(pow);
  calls["logicalAnd"] = two(logicalAnd);
  calls["logicalOr"] = two(logicalOr);
  calls["logicalXor"] = two(logicalXor);
  calls["logicalNot"] = one(logicalNot);
  calls["isnan"] = one(isnan);
  calls["isinf"] = one(isinf);
  calls["isfinite"] = one(isfinite);
  return calls;
}

Calls lines() {
  Calls calls;
  calls["any"] = overAxes(any);
  calls["all"] = overAxes(all);
  calls["prod"] = overAxes(prod);
  calls["logsumexp"] = overAxes(logsumexp);
  calls["argmin"] = [](const Tensors& in, const Json& o) {
    return Tensors{argmin(in[0], o.at("axis").get<int>(), o.at("keepDims").get<bool>())};
  };
  calls["cumsum"] = onAxis([](const Tensor& x, int axis) { return cumsum(x, axis); });
  calls["cumprod"] = onAxis([](const Tensor& x, int axis) { return cumprod(x, axis); });
  return calls;
}

Calls pieces() {
  Calls calls;
  const auto axisOf = [](const Json& o) { return o.at("axis").get<int>(); };
  calls["split"] = [=](const Tensors& in, const Json& o) { return split(in[0], o.at("size").get<i64>(), axisOf(o)); };
  calls["splitSizes"] = [=](const Tensors& in, const Json& o) {
    return split(in[0], sizesOf(o.at("sizes")), axisOf(o));
  };
  calls["chunk"] = [=](const Tensors& in, const Json& o) { return chunk(in[0], o.at("count").get<i64>(), axisOf(o)); };
  calls["flip"] = [](const Tensors& in, const Json& o) { return Tensors{flip(in[0], intsOf(o.at("axes")))}; };
  calls["roll"] = [](const Tensors& in, const Json& o) {
    return Tensors{roll(in[0], sizesOf(o.at("shifts")), intsOf(o.at("axes")))};
  };
  calls["repeat"] = [](const Tensors& in, const Json& o) { return Tensors{repeat(in[0], sizesOf(o.at("counts")))}; };
  calls["repeatInterleave"] = [=](const Tensors& in, const Json& o) {
    return Tensors{repeatInterleave(in[0], o.at("count").get<i64>(), axisOf(o))};
  };
  calls["diagonal"] = [](const Tensors& in, const Json& o) {
    return Tensors{diagonal(in[0], o.at("offset").get<i64>(), o.at("a").get<int>(), o.at("b").get<int>())};
  };
  calls["triu"] = [](const Tensors& in, const Json& o) { return Tensors{triu(in[0], o.at("offset").get<i64>())}; };
  calls["tril"] = [](const Tensors& in, const Json& o) { return Tensors{tril(in[0], o.at("offset").get<i64>())}; };
  calls["trace"] = one(trace);
  calls["diff"] = [=](const Tensors& in, const Json& o) {
    return Tensors{diff(in[0], axisOf(o), o.at("times").get<int>())};
  };
  calls["outer"] = two(outer);
  calls["meshgrid"] = [](const Tensors& in, const Json& o) { return meshgrid(in, o.at("xy").get<bool>()); };
  return calls;
}

Calls indexing() {
  Calls calls;
  const auto axisOf = [](const Json& o) { return o.at("axis").get<int>(); };
  calls["index"] = [](const Tensors& in, const Json& o) {
    const std::vector<i64> rows = sizesOf(o.at("rows")), columns = sizesOf(o.at("columns"));
    return Tensors{index(in[0], {Range{rows[0], rows[1]}, newAxis, Range{columns[0], columns[1], columns[2]}})};
  };
  calls["gather"] = [=](const Tensors& in, const Json& o) { return Tensors{gather(in[0], axisOf(o), in[1])}; };
  calls["scatter"] = [=](const Tensors& in, const Json& o) { return Tensors{scatter(in[0], axisOf(o), in[1], in[2])}; };
  calls["scatterAdd"] = [=](const Tensors& in, const Json& o) {
    return Tensors{scatterAdd(in[0], axisOf(o), in[1], in[2])};
  };
  calls["indexSelect"] = [=](const Tensors& in, const Json& o) {
    return Tensors{indexSelect(in[0], axisOf(o), in[1])};
  };
  calls["maskedFill"] = [](const Tensors& in, const Json& o) {
    return Tensors{maskedFill(in[0], in[1], o.at("value").get<double>())};
  };
  calls["maskedSelect"] = two(maskedSelect);
  calls["nonZero"] = one(nonZero);
  calls["oneHot"] = [](const Tensors& in, const Json& o) { return Tensors{oneHot(in[0], o.at("classes").get<i64>())}; };
  const auto both = [](const Sorted& sorted) { return Tensors{sorted.values, sorted.indices}; };
  calls["sort"] = [=](const Tensors& in, const Json& o) {
    return both(sort(in[0], axisOf(o), o.at("descending").get<bool>()));
  };
  calls["argsort"] = [=](const Tensors& in, const Json& o) {
    return Tensors{argsort(in[0], axisOf(o), o.at("descending").get<bool>())};
  };
  calls["topk"] = [=](const Tensors& in, const Json& o) {
    return both(topk(in[0], o.at("count").get<i64>(), axisOf(o), o.at("largest").get<bool>()));
  };
  return calls;
}

Calls products() {
  Calls calls;
  calls["norm"] = [](const Tensors& in, const Json& o) {
    const double p = std::stod(o.at("p").get<std::string>());
    return Tensors{norm(in[0], p, intsOf(o.at("axes")), o.at("keepDims").get<bool>())};
  };
  calls["einsum"] = [](const Tensors& in, const Json& o) {
    return Tensors{einsum(o.at("equation").get<std::string>(), in)};
  };
  return calls;
}

}  // namespace

TEST_CASE("functions of an element and logic agree with PyTorch") { checkFamily("functions", functions()); }
TEST_CASE("products, running sums and logic over axes agree with PyTorch") { checkFamily("lines", lines()); }
TEST_CASE("pieces, repetitions and diagonals agree with PyTorch") { checkFamily("pieces", pieces()); }
TEST_CASE("elements chosen by tensors and their order agree with PyTorch") { checkFamily("indexing", indexing()); }
TEST_CASE("norms and Einstein's sums agree with PyTorch") { checkFamily("products", products()); }
