// What installer/run.sh does without a display, with the program of this build.

#include <array>
#include <cstdio>
#include <doctest/doctest.h>
#include <string>

namespace {

std::size_t countOf(const std::string& text, const std::string& part)
{
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
        ++count;
    return count;
}

} // namespace

TEST_CASE("the main job runs to its end in the terminal, and two new processes read nothing again")
{
    const std::string command = "\"" SOURCE_DIR "/installer/terminal_job.sh\" \"" BINARY_DIR
                                "/epitome\" \"" BINARY_DIR "/resources/handbook.pdf\" 2>&1";
    std::FILE* const job = popen(command.c_str(), "r");
    REQUIRE(job != nullptr);
    std::string said;
    std::array<char, 4096> piece{};
    while (const std::size_t length = std::fread(piece.data(), 1, piece.size(), job))
        said.append(piece.data(), length);
    INFO(said);
    CHECK(pclose(job) == 0);
    CHECK(countOf(said, "re-read 0 of") == 2);
    CHECK(countOf(said, "thirty-two mebibytes") >= 1); // the answer to the first question
    CHECK(countOf(said, "page ") >= 2);
}
