#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace app {

/// A check of an option: its value lies between both bounds. Values that are no numbers pass;
/// `checkValues` finds these.
CLI::Validator between(double minimum, double maximum);
/// A check of an option: its value is one of these words.
CLI::Validator oneOf(const std::vector<std::string>& words);
/// A check of an option: its value can be the id of a record. Ids begin at 1.
CLI::Validator recordId();

/// Makes all options of a command, and of those below it, refuse what they cannot mean. Numbers:
/// the library's own conversion takes "" for 0, and what is too large for the largest number. Files
/// and folders: what is the name of an option.
void checkValues(CLI::App& command);

/// What is wrong with the words of the command line, and where to read how it is right.
std::string badUseSentence(const CLI::App& app, const std::vector<std::string>& words,
                           const CLI::ParseError& error);

} // namespace app
