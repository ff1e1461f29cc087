#include "tests/engine/reader/golden_lines.h"

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace tests {

GoldenLines readGoldenLines(const std::string& path)
{
    std::ifstream file(path);
    GoldenLines lines;
    std::string ids;
    if (!std::getline(file, lines.text) || !std::getline(file, ids)) {
        throw std::runtime_error("cannot read " + path);
    }
    const std::string lineFeed = "\\n";
    for (auto at = lines.text.find(lineFeed); at != std::string::npos;
         at = lines.text.find(lineFeed, at)) {
        lines.text.replace(at, lineFeed.size(), "\n");
    }
    std::istringstream idStream(ids);
    for (std::int32_t id = 0; idStream >> id;) {
        lines.ids.push_back(id);
    }
    std::size_t token = 0;
    for (double logit = 0.0; file >> token >> logit;) {
        lines.logits.emplace_back(token, logit);
    }
    return lines;
}

} // namespace tests
