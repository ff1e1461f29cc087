#include "tests/app/cli/refusal.h"

#include <algorithm>
#include <doctest/doctest.h>

namespace tests {

nlohmann::json checkRefusal(const Finished& finished, int code,
                            const std::vector<std::string>& parts)
{
    INFO(finished.err);
    CHECK_FALSE(finished.killed);
    CHECK(finished.code == code);
    CHECK(std::ranges::count(finished.err, '\n') == 1);
    CHECK(finished.err.ends_with(".\n"));
    for (const std::string& part : parts)
        CHECK_MESSAGE(finished.err.find(part) != std::string::npos, part, " is not named");
    auto result = finished.json();
    REQUIRE(result.is_object());
    CHECK(result.value("error", "") + "\n" == finished.err);
    return result;
}

} // namespace tests
