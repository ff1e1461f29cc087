#pragma once

#include "tests/app/cli/program.h"

#include <string>
#include <vector>

namespace tests {

/// Checks that a run with --json was refused as every refusal has to be: with this exit code, one
/// line on standard error, and the same sentence as "error" of a single JSON value, which is
/// returned. The sentence has to hold each of `parts`: the name of the thing, and the way out.
nlohmann::json checkRefusal(const Finished& finished, int code,
                            const std::vector<std::string>& parts);

} // namespace tests
