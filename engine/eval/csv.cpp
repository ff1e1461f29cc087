#include "engine/eval/csv.h"

#include <array>
#include <cstdio>

namespace engine {

std::string csvLine(const std::vector<std::string>& fields)
{
    std::string line;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        line += i == 0 ? "" : ",";
        if (fields[i].find_first_of(",\"\r\n") == std::string::npos) {
            line += fields[i];
            continue;
        }
        line += '"';
        for (const char each : fields[i]) {
            if (each == '"')
                line += '"';
            line += each == '\n' || each == '\r' ? ' ' : each;
        }
        line += '"';
    }
    return line + "\n";
}

std::vector<std::string> csvFields(const std::string& line)
{
    std::vector<std::string> fields(1);
    bool isQuoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char each = line[i];
        if (each == '"' && isQuoted && i + 1 < line.size() && line[i + 1] == '"') {
            fields.back() += '"';
            ++i;
        } else if (each == '"') {
            isQuoted = !isQuoted;
        } else if (each == ',' && !isQuoted) {
            fields.emplace_back();
        } else {
            fields.back() += each;
        }
    }
    return fields;
}

std::string csvNumber(double value)
{
    std::array<char, 32> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "%.6g", value);
    return buffer.data();
}

} // namespace engine
