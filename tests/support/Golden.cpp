#include "support/Golden.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <map>

#include <fmt/format.h>

namespace ember::test {
namespace {

double numberOf(const Json& json) {
  if (json.is_boolean()) return json.get<bool>() ? 1 : 0;
  if (!json.is_string()) return json.get<double>();
  const auto word = json.get<std::string>();
  if (word == "nan") return std::numeric_limits<double>::quiet_NaN();
  return word == "inf" ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
}

}  // namespace

const Json& golden(const std::string& family) {
  static std::map<std::string, Json> files;
  auto [file, isNew] = files.try_emplace(family);
  if (isNew) {
    const std::string path = std::string(EMBER_TEST_DATA) + "/" + family + ".json";
    std::ifstream stream(path);
    if (!stream) throw std::runtime_error("cannot open " + path);
    file->second = Json::parse(stream).at("cases");
  }
  return file->second;
}

Tensor tensorOf(const Json& json, DType floating) {
  std::vector<double> values;
  for (const Json& v : json.at("data")) values.push_back(numberOf(v));
  const DType dtype = json.contains("dtype") ? dtypeFromName(json.at("dtype").get<std::string>()) : floating;
  return Tensor::of<double>(values, shapeOf(json.at("shape"))).to(dtype);
}

Shape shapeOf(const Json& json) { return Shape(sizesOf(json)); }
std::vector<int> intsOf(const Json& json) { return json.get<std::vector<int>>(); }
std::vector<i64> sizesOf(const Json& json) { return json.get<std::vector<i64>>(); }

std::string difference(const Tensor& actual, const Tensor& expected, const Tolerance& tolerance) {
  if (!actual.defined()) return "there is none";
  if (!(actual.shape() == expected.shape()))
    return fmt::format("shape {} instead of {}", toString(actual.shape()), toString(expected.shape()));
  const auto a = actual.toVector<double>(), e = expected.toVector<double>();
  std::string worst;
  double worstExcess = 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == e[i] || (std::isnan(a[i]) && std::isnan(e[i]))) continue;
    const double excess = std::abs(a[i] - e[i]) / (tolerance.absolute + tolerance.relative * std::abs(e[i]));
    if (excess <= worstExcess) continue;  // false for NaN
    worst = fmt::format("element {}: {:.17g} instead of {:.17g}", i, a[i], e[i]);
    worstExcess = std::isnan(excess) ? std::numeric_limits<double>::infinity() : excess;
  }
  return worst;
}

}  // namespace ember::test
