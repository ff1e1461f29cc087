#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace engine::jinja {

enum class TokenKind
{
    PlainText,
    OutputBegin, // {{
    OutputEnd,
    BlockBegin, // {%
    BlockEnd,
    Name,
    String,
    Integer,
    Float,
    Operator,
    End
};

struct Token
{
    TokenKind kind = TokenKind::End;
    std::string text; // Text, Name, String (escapes resolved), Operator
    std::int64_t integer = 0;
    double number = 0;
    std::size_t line = 0;
};

/// Cuts a template into tokens with trim_blocks and lstrip_blocks on: a newline after a block is
/// dropped, as are blanks between a line's beginning and a block. Comments are left out, raw blocks
/// become text. Throws Damaged with the line.
std::vector<Token> tokenize(std::string_view source);

/// Throws Damaged: "... line `line`: `message`."
[[noreturn]] void failAt(std::size_t line, const std::string& message);

} // namespace engine::jinja
