#include <cmath>
#include <string_view>

#include <ember/core/Error.h>
#include <ember/core/io/ReportFile.h>
#include <ember/optim/Schedule.h>

namespace ember::optim {
namespace {

constexpr std::string_view eighths[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

// The step that column i of `columns` shows: the first and the last always.
i64 stepOf(i64 i, i64 columns, i64 steps) {
  return columns == 1 ? 0
                      : static_cast<i64>(std::llround(static_cast<double>(i) * static_cast<double>(steps - 1) /
                                                      static_cast<double>(columns - 1)));
}

// The largest factor of a curve that is drawn; 1 for one that is 0 throughout.
double largest(const std::vector<double>& values) {
  const double most = *std::max_element(values.begin(), values.end());
  return most > 0 ? most : 1;
}

std::string drawing(const Schedule& schedule, i64 steps, double lr) {
  constexpr i64 width = 640, height = 320, border = 40, points = 1280;
  const i64 columns = std::min(steps, points);
  std::vector<double> values;
  for (i64 i = 0; i < columns; ++i) values.push_back(lr * schedule.factor(stepOf(i, columns, steps)));
  const double most = largest(values);
  std::string line;
  for (i64 i = 0; i < columns; ++i) {
    const double share = columns == 1 ? 0 : static_cast<double>(i) / static_cast<double>(columns - 1);
    line += fmt::format("{}{:.2f},{:.2f}", i == 0 ? "" : " ", border + share * (width - 2 * border),
                        height - border - values[static_cast<std::size_t>(i)] / most * (height - 2 * border));
  }
  const auto label = [](i64 x, i64 y, const char* anchor, const std::string& text) {
    return fmt::format(
        "<text x=\"{}\" y=\"{}\" font-family=\"sans-serif\" font-size=\"12\" text-anchor=\"{}\">{}</text>\n", x, y,
        anchor, text);
  };
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\">\n"
             "<path d=\"M{2} {2}V{3}H{4}\" fill=\"none\" stroke=\"gray\"/>\n"
             "<polyline points=\"{5}\" fill=\"none\" stroke=\"black\"/>\n",
             width, height, border, height - border, width - border, line) +
         label(border, border - 8, "start", fmt::format("{} (lr {:.4g})", schedule.name(), most)) +
         label(border, height - border + 16, "middle", "0") +
         label(width - border, height - border + 16, "middle", std::to_string(steps - 1)) + "</svg>\n";
}

std::string table(const Schedule& schedule, i64 steps, double lr) {
  std::string text = "step,lr\n";
  for (i64 t = 0; t < steps; ++t) text += fmt::format("{},{}\n", t, lr * schedule.factor(t));
  return text;
}

}  // namespace

std::string Schedule::text(i64 steps, int width, int height) const {
  if (steps < 0 || width < 1 || height < 1)
    throw ValueError("Schedule.text", fmt::format("{} steps in {} columns and {} lines", steps, width, height), {},
                     "a picture has a column and a line at least");
  std::string result = name_ + " " + args_.dump();
  if (steps == 0) return result;
  const i64 columns = std::min<i64>(steps, width);
  std::vector<double> values;
  for (i64 i = 0; i < columns; ++i) values.push_back(factor(stepOf(i, columns, steps)));
  const double most = largest(values);
  for (int line = height - 1; line >= 0; --line) {
    result += '\n';
    for (const double value : values) {
      const double inLine = value / most * 8 * height - 8 * line;
      // What is above 0 shows.
      const int full = static_cast<int>(std::clamp(std::round(inLine), line == 0 && value > 0 ? 1.0 : 0.0, 8.0));
      result += eighths[full];
    }
  }
  return result + fmt::format("\nsteps 0 to {}, at most {:.4g}, in the end {:.4g}", steps - 1, most, values.back());
}

void Schedule::save(const std::string& path, i64 steps, double lr) const {
  constexpr const char* op = "Schedule.save";
  if (steps < 1) throw ValueError(op, "steps is " + std::to_string(steps) + ", expected 1 or more");
  const bool csv = path.ends_with(".csv");
  if (!csv && !path.ends_with(".svg"))
    throw ValueError(op, "\"" + path + "\" ends neither in .csv nor in .svg", {}, "name a table or a drawing");
  const std::string content = csv ? table(*this, steps, lr) : drawing(*this, steps, lr);
  io::ReportFile file(path, op);
  file.write(content);
  file.commit();
}

}  // namespace ember::optim
