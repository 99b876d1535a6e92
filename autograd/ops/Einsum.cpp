// An operand is a tensor whose axes have labels: letters, and numbers from `dots` on for the axes of "...", counted
// from the last. Operands are brought to one label an axis, then contracted pair by pair as batched matrix products.
#include <ember/autograd/ops/Einsum.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/MatMul.h>
#include <ember/autograd/ops/Rearrange.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>

namespace ember {

using namespace autograd;

namespace {

constexpr const char* op = "einsum";
constexpr int dots = 256;

using Labels = std::vector<int>;

struct Labelled {
  Tensor value;
  Labels labels;
};

bool has(const Labels& labels, int label) { return std::find(labels.begin(), labels.end(), label) != labels.end(); }

std::string quoted(const std::string& text) { return "\"" + text + "\""; }
std::string nameOf(int label) { return label >= dots ? "..." : std::string(1, static_cast<char>(label)); }

/// The letters of one term, with `dots` once where "..." stands.
Labels parseTerm(const std::string& term, const std::string& equation) {
  Labels labels;
  for (std::size_t i = 0; i < term.size(); ++i) {
    const char c = term[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter) {
      labels.push_back(c);
    } else if (term.compare(i, 3, "...") == 0 && !has(labels, dots)) {
      labels.push_back(dots);
      i += 2;
    } else {
      throw ValueError(op, "cannot read " + quoted(term.substr(i)) + " in " + quoted(equation), {},
                       "axes are letters, and ... stands at most once in each term");
    }
  }
  return labels;
}

struct Equation {
  std::vector<Labels> inputs;
  bool explicitOutput = false;
  Labels output;
};

Equation parse(const std::string& text) {
  std::string plain;
  std::copy_if(text.begin(), text.end(), std::back_inserter(plain), [](char c) { return c != ' '; });
  Equation equation;
  const std::size_t arrow = plain.find("->");
  if (arrow != std::string::npos) {
    equation.explicitOutput = true;
    equation.output = parseTerm(plain.substr(arrow + 2), text);
    plain.resize(arrow);
  }
  for (std::size_t start = 0; start <= plain.size();) {
    const std::size_t comma = std::min(plain.find(',', start), plain.size());
    equation.inputs.push_back(parseTerm(plain.substr(start, comma - start), text));
    start = comma + 1;
  }
  return equation;
}

/// Labels of `axes` axes: the term with its dots written out.
Labels spelled(const Labels& term, int axes) {
  Labels labels;
  for (const int label : term) {
    if (label != dots) {
      labels.push_back(label);
      continue;
    }
    for (int k = axes - static_cast<int>(term.size()); k >= 0; --k) labels.push_back(dots + k);
  }
  return labels;
}

/// The operand with its labels; axes of one label become the diagonal.
Labelled labelled(const Tensor& x, const Labels& term, int number) {
  const int letters = static_cast<int>(term.size()) - (has(term, dots) ? 1 : 0);
  if (has(term, dots) ? x.rank() < letters : x.rank() != letters) {
    throw ShapeError(op,
                     "operand " + std::to_string(number) + " has rank " + std::to_string(x.rank()) +
                         ", the equation names " + std::to_string(letters) + " axes of it",
                     {{"operand", toString(x.shape())}}, "name every axis, or let ... stand for the others");
  }
  Labelled result{x, spelled(term, x.rank())};
  for (std::size_t a = 0; a < result.labels.size();) {
    const int label = result.labels[a];
    const auto again =
        std::find(result.labels.begin() + static_cast<std::ptrdiff_t>(a) + 1, result.labels.end(), label);
    if (again == result.labels.end()) {
      ++a;
      continue;
    }
    const int first = static_cast<int>(a), second = static_cast<int>(again - result.labels.begin());
    if (result.value.size(first) != result.value.size(second)) {
      throw ShapeError(op,
                       "operand " + std::to_string(number) + " has no diagonal " + quoted(nameOf(label)) + ": sizes " +
                           std::to_string(result.value.size(first)) + " and " +
                           std::to_string(result.value.size(second)),
                       {{"operand", toString(x.shape())}});
    }
    result.value = diagonal(result.value, 0, first, second);
    result.labels.erase(again);
    result.labels.erase(result.labels.begin() + first);
    result.labels.push_back(label);
    a = 0;
  }
  return result;
}

/// x with the axes of labels that are not in `kept` summed away.
Labelled reduced(Labelled x, const Labels& kept) {
  std::vector<int> axes;
  Labels left;
  for (std::size_t i = 0; i < x.labels.size(); ++i) {
    if (has(kept, x.labels[i])) {
      left.push_back(x.labels[i]);
    } else {
      axes.push_back(static_cast<int>(i));
    }
  }
  return axes.empty() ? x : Labelled{sum(x.value, axes), left};
}

/// x with its axes in the order of `labels` and stretched to their sizes.
Tensor arranged(const Labelled& x, const Labels& labels, const std::map<int, i64>& sizes) {
  std::vector<int> order;
  Shape shape;
  for (const int label : labels) {
    order.push_back(static_cast<int>(std::find(x.labels.begin(), x.labels.end(), label) - x.labels.begin()));
    shape.push(sizes.at(label));
  }
  return expand(permute(x.value, order), shape);
}

i64 product(const Labels& labels, const std::map<int, i64>& sizes) {
  i64 result = 1;
  for (const int label : labels) result = checkedMul(result, sizes.at(label));
  return result;
}

Labels joined(std::initializer_list<const Labels*> parts) {
  Labels all;
  for (const Labels* part : parts) all.insert(all.end(), part->begin(), part->end());
  return all;
}

/// a and b as one operand: labels of both are multiplied, and those of them that nobody needs any more (`kept`) summed.
Labelled contracted(const Labelled& first, const Labelled& second, const Labels& kept) {
  const Labelled a = reduced(first, joined({&kept, &second.labels})),
                 b = reduced(second, joined({&kept, &first.labels}));
  std::map<int, i64> sizes;
  for (const Labelled* x : {&a, &b}) {
    for (std::size_t i = 0; i < x->labels.size(); ++i) {
      i64& size = sizes.try_emplace(x->labels[i], 1).first->second;
      if (size == 1) size = x->value.size(static_cast<int>(i));
    }
  }
  Labels batch, summed, ofA, ofB;
  for (const int label : a.labels) {
    (!has(b.labels, label) ? ofA : has(kept, label) ? batch : summed).push_back(label);
  }
  for (const int label : b.labels) {
    if (!has(a.labels, label)) ofB.push_back(label);
  }
  const i64 many = product(batch, sizes), m = product(ofA, sizes), n = product(ofB, sizes), k = product(summed, sizes);
  const Tensor left = reshape(arranged(a, joined({&batch, &ofA, &summed}), sizes), {many, m, k});
  const Tensor right = reshape(arranged(b, joined({&batch, &summed, &ofB}), sizes), {many, k, n});
  Labelled result;
  result.labels = joined({&batch, &ofA, &ofB});
  Shape shape;
  for (const int label : result.labels) shape.push(sizes.at(label));
  const Tensor y = summed.empty() ? left * right
                   : many == 1    ? matmul(reshape(left, {m, k}), reshape(right, {k, n}))
                                  : matmul(left, right);
  result.value = reshape(y, shape);
  return result;
}

/// Every label has one size, or 1, in all operands.
void checkSizes(const std::vector<Labelled>& operands) {
  std::map<int, std::pair<i64, std::size_t>> known;  // size, and the operand that has it
  for (std::size_t number = 0; number < operands.size(); ++number) {
    const Labelled& x = operands[number];
    for (std::size_t i = 0; i < x.labels.size(); ++i) {
      const i64 size = x.value.size(static_cast<int>(i));
      auto& [before, where] = known.try_emplace(x.labels[i], size, number).first->second;
      if (size == before || size == 1) continue;
      if (before != 1) {
        throw ShapeError(op,
                         quoted(nameOf(x.labels[i])) + " has size " + std::to_string(before) + " in operand " +
                             std::to_string(where) + " and " + std::to_string(size) + " in operand " +
                             std::to_string(number),
                         {}, "a letter has one size, or 1");
      }
      before = size;
      where = number;
    }
  }
}

Labels outputOf(const Equation& equation, const std::vector<Labelled>& operands, const std::string& text) {
  std::map<int, int> uses;
  int broadcast = 0;
  for (const Labels& term : equation.inputs) {
    for (const int label : term) ++uses[label];
  }
  for (const Labelled& x : operands) {
    for (const int label : x.labels) broadcast = std::max(broadcast, label - dots + 1);
  }
  if (!equation.explicitOutput) {
    Labels term;
    if (broadcast > 0) term.push_back(dots);
    for (const auto& [label, count] : uses) {  // in the order of the letters
      if (label != dots && count == 1) term.push_back(label);
    }
    return spelled(term, static_cast<int>(term.size()) - (broadcast > 0 ? 1 : 0) + broadcast);
  }
  for (const int label : equation.output) {
    if (!uses.contains(label)) {
      throw ValueError(op,
                       "the output of " + quoted(text) + " has " + quoted(nameOf(label)) + ", which no operand has");
    }
    if (std::count(equation.output.begin(), equation.output.end(), label) > 1) {
      throw ValueError(op, "the output of " + quoted(text) + " has " + quoted(nameOf(label)) + " twice", {},
                       "name each axis of the output once");
    }
  }
  const bool dotted = has(equation.output, dots);
  return spelled(equation.output,
                 static_cast<int>(equation.output.size()) - (dotted ? 1 : 0) + (dotted ? broadcast : 0));
}

}  // namespace

Tensor einsum(const std::string& text, const Tensors& operands) {
  for (const Tensor& x : operands) {
    checkOperands(op, {&x});
    checkFloating(op, x, "an operand");
    checkSameDtype(op, operands[0], x, "operand 0", "another");
  }
  const Equation equation = parse(text);
  if (equation.inputs.size() != operands.size()) {
    throw ValueError(op,
                     quoted(text) + " has " + std::to_string(equation.inputs.size()) + " operands, " +
                         std::to_string(operands.size()) + " are given",
                     {}, "give one tensor for each term in front of ->");
  }
  std::vector<Labelled> parts;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    parts.push_back(labelled(operands[i], equation.inputs[i], static_cast<int>(i)));
  }
  checkSizes(parts);
  const Labels output = outputOf(equation, parts, text);
  Labelled result = parts[0];
  for (std::size_t i = 1; i < parts.size(); ++i) {
    Labels kept = output;
    for (std::size_t later = i + 1; later < parts.size(); ++later) kept = joined({&kept, &parts[later].labels});
    result = contracted(result, parts[i], kept);
  }
  result = reduced(result, output);
  std::vector<int> order;
  for (const int label : output) {
    order.push_back(
        static_cast<int>(std::find(result.labels.begin(), result.labels.end(), label) - result.labels.begin()));
  }
  return permute(result.value, order);
}

}  // namespace ember
