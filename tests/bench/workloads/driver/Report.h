#pragma once
#include <string>
#include <vector>

#include "Contest.h"

namespace bench {

/// The tables, as they go to standard output.
std::string tables(const Plan& plan, const std::vector<Row>& rows);

/// The same as JSON: {"threads", "cpu", "workloads": {"W1": {"training": {...}, "inference": {...},
/// "inference_batch1": {...}}}}; what was not measured is null.
std::string json(const Plan& plan, const std::vector<Row>& rows);

}  // namespace bench
