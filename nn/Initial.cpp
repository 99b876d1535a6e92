#include <ember/nn/Initial.h>

#include <string>
#include <vector>

#include <ember/core/Error.h>
#include <ember/nn/Init.h>

namespace ember::nn {
namespace {

constexpr std::string_view functionWord = "a function of the program";

}  // namespace

void Initial::fill(Tensor& target, const char* owner, const char* field) const {
  const NoGrad guard;
  if (target.isShapeOnly()) return;
  if (const double* number = std::get_if<double>(&start_)) return target.fill_(*number);
  if (const Fill* function = std::get_if<Fill>(&start_)) {
    // As init does: the values of a net that is being rebuilt come from elsewhere.
    return init::Skip::active() ? target.fill_(0) : (*function)(target);
  }
  const Tensor* values = std::get_if<Tensor>(&start_);
  if (!values) return;
  if (!values->defined() || !(values->shape() == target.shape())) {
    throw ShapeError(owner,
                     std::string(field) + " is " + (values->defined() ? toString(values->shape()) : "undefined") +
                         ", expected " + toString(target.shape()),
                     {}, "give a number, or a tensor of that shape");
  }
  target.copy_(*values, "initialiser");
}

Value Initial::toValue() const {
  if (const double* number = std::get_if<double>(&start_)) return *number;
  if (const Tensor* values = std::get_if<Tensor>(&start_))
    return Value{{"shape", values->shape().vector()}, {"values", values->toVector<double>()}};
  return given() ? Value(functionWord) : Value();
}

Initial Initial::of(const Value& value) {
  if (value.isNull()) return {};
  if (value.isObject()) {
    const std::vector<double> values = value.get<std::vector<double>>("values");
    return Initial(Tensor::of<double>(values, Shape(value.get<std::vector<i64>>("shape"))));
  }
  if (!value.isString()) return Initial(value.as<double>());
  return Initial([](Tensor&) {
    throw StateError("initialiser", "the function that drew this tensor was not saved with the net", {},
                     "build the layer in code with its initialiser and load() the file into it");
  });
}

}  // namespace ember::nn
