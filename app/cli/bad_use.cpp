#include "app/cli/bad_use.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <sstream>
#include <string_view>

namespace app {
namespace {

template <typename Number>
std::optional<Number> numberIn(std::string_view text)
{
    Number value{};
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size())
        return std::nullopt;
    return value;
}

/// "5", "0.25", "1048576".
std::string plainNumber(double value)
{
    std::ostringstream stream;
    stream.precision(15);
    stream << value;
    return stream.str();
}

/// The sentence goes on behind the option's name.
std::string refusal(const std::string& wanted, const std::string& given)
{
    return "must be " + wanted + ", and \"" + given + "\" is not";
}

template <typename Number>
CLI::Validator number(const std::string& wanted)
{
    return {[wanted](const std::string& given) {
                return numberIn<Number>(given) ? std::string() : refusal(wanted, given);
            },
            ""};
}

/// An option that lacks its value would take the next option for it, and make a folder of that
/// name.
CLI::Validator path()
{
    return {[](const std::string& given) {
                return given.starts_with("--")
                           ? refusal("a path", given) + "; write ./" + given + " if it is one"
                           : std::string();
            },
            ""};
}

void replace(std::string& text, std::string_view from, std::string_view to)
{
    if (const std::size_t at = text.find(from); at != std::string::npos)
        text.replace(at, from.size(), to);
}

/// The command that the words name, or none.
const CLI::App* commandOf(const CLI::App& app)
{
    const auto named = app.get_subcommands();
    return named.empty() ? nullptr : named.front();
}

/// The first word that is neither an option of the program nor stands behind one that takes a
/// value.
std::string strayWord(const CLI::App& app, const std::vector<std::string>& words)
{
    for (std::size_t i = 0; i < words.size(); ++i) {
        const CLI::Option* option = app.get_option_no_throw(words[i]);
        if (option == nullptr)
            return words[i];
        if (option->get_expected_min() > 0)
            ++i;
    }
    return {};
}

std::string inOwnWords(std::string what)
{
    // "--keep: must be ..." reads as one sentence without the colon.
    replace(what, ": must be ", " must be ");
    // Behind the last option of a line there may be nothing.
    if (const std::size_t required = what.find(": 1 required "); required != std::string::npos)
        return what.substr(0, required) + " needs a value behind it";
    if (const std::size_t excludes = what.find(" excludes "); excludes != std::string::npos)
        return what.substr(0, excludes) + " and " + what.substr(excludes + 10) +
               " cannot be given together";
    replace(what, " requires ", " works only together with ");
    return what;
}

} // namespace

CLI::Validator between(double minimum, double maximum)
{
    return {[=](const std::string& given) {
                const auto value = numberIn<double>(given);
                if (!value || (*value >= minimum && *value <= maximum))
                    return std::string();
                return refusal("between " + plainNumber(minimum) + " and " + plainNumber(maximum),
                               given);
            },
            ""};
}

CLI::Validator oneOf(const std::vector<std::string>& words)
{
    return {[words](const std::string& given) {
                if (std::ranges::find(words, given) != words.end())
                    return std::string();
                std::string list;
                for (const std::string& word : words)
                    list += (list.empty() ? "" : ", ") + word;
                return refusal("one of " + list, given);
            },
            ""};
}

CLI::Validator recordId()
{
    return {[](const std::string& given) {
                const auto value = numberIn<std::int64_t>(given);
                return value && *value > 0
                           ? std::string()
                           : refusal("an id, which is a whole number from 1 on", given);
            },
            ""};
}

void checkValues(CLI::App& command)
{
    for (CLI::Option* option : command.get_options()) {
        const std::string type = option->get_type_name();
        if (type == "INT")
            option->check(number<std::int64_t>("a whole number"))->type_name("N");
        else if (type == "UINT")
            option->check(number<std::uint64_t>("a whole number from 0 on"))->type_name("N");
        else if (type == "FLOAT")
            option->check(number<double>("a number"))->type_name("NUMBER");
        else if (type == "DIR" || type == "FILE")
            option->check(path());
    }
    for (CLI::App* each : command.get_subcommands({}))
        checkValues(*each);
}

std::string badUseSentence(const CLI::App& app, const std::vector<std::string>& words,
                           const CLI::ParseError& error)
{
    const CLI::App* command = commandOf(app);
    const std::string help =
        std::string("epitome ") + (command == nullptr ? "" : command->get_name() + " ") + "--help";
    std::string what = inOwnWords(error.what());
    if (command == nullptr) {
        if (const std::string word = strayWord(app, words); !word.empty())
            what = "\"" + word + "\" is not " +
                   (word.starts_with('-') ? "an option" : "a command") + " of Epitome";
        else if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr)
            what = "There is no command";
    }
    return what + ". Run \"" + help + "\" to see how it is used.";
}

} // namespace app
