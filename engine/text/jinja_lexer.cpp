#include "engine/text/jinja_lexer.h"

#include "engine/error.h"
#include "engine/text/jinja_text.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace engine::jinja {

namespace {

bool isDigit(char c)
{
    return c >= '0' && c <= '9';
}

bool isNameStart(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80U;
}

/// Line ends of all systems become "\n"; one at the end of the template is dropped.
std::string normalized(std::string_view source)
{
    std::string text;
    text.reserve(source.size());
    for (std::size_t i = 0; i < source.size(); ++i) {
        if (source[i] != '\r') {
            text += source[i];
            continue;
        }
        text += '\n';
        if (i + 1 < source.size() && source[i + 1] == '\n') {
            ++i;
        }
    }
    if (text.ends_with('\n')) {
        text.pop_back();
    }
    return text;
}

class Lexer
{
public:
    explicit Lexer(std::string source)
        : m_source(std::move(source))
        , m_rest(m_source)
    {}

    std::vector<Token> run()
    {
        while (!m_rest.empty()) {
            readText();
        }
        add(TokenKind::End);
        return std::move(m_tokens);
    }

private:
    void readText();
    void readComment();
    bool readRaw();
    void readTag(bool isBlock);
    bool readTagEnd(bool isBlock);
    void readToken();
    void readName();
    void readNumber();
    void readString();
    void readOperator();

    void advance(std::size_t count)
    {
        const auto passed = m_rest.substr(0, count);
        m_line += static_cast<std::size_t>(std::count(passed.begin(), passed.end(), '\n'));
        if (!passed.empty()) {
            m_isLineStart = passed.back() == '\n';
        }
        m_rest.remove_prefix(passed.size());
    }

    void add(TokenKind kind, std::string text = {})
    {
        Token token;
        token.kind = kind;
        token.text = std::move(text);
        token.line = m_line;
        m_tokens.push_back(std::move(token));
    }

    void skipBlanks() { advance(m_rest.size() - trimmedStart(m_rest).size()); }

    /// After the end of a block: "-" drops all blanks that follow, "+" nothing, else one newline.
    void skipAfterBlock(char sign)
    {
        if (sign == '-') {
            skipBlanks();
        } else if (sign != '+' && m_rest.starts_with('\n')) {
            advance(1);
        }
    }

    void addText(std::string_view text, char sign, bool isOutput);

    std::string m_source;
    std::string_view m_rest;
    std::size_t m_line = 1;
    bool m_isLineStart = true;
    std::vector<char> m_brackets;
    std::vector<Token> m_tokens;
};

/// `sign` is the character after the tag's two. The text in front of the tag is cut by it.
void Lexer::addText(std::string_view text, char sign, bool isOutput)
{
    if (sign == '-') {
        text = trimmedEnd(text);
    } else if (sign != '+' && !isOutput) {
        const std::size_t newline = text.rfind('\n');
        const std::size_t start = newline == std::string_view::npos ? 0 : newline + 1;
        const bool isWholeLine = newline != std::string_view::npos || m_isLineStart;
        if (isWholeLine && trimmedStart(text.substr(start)).empty()) {
            text = text.substr(0, start);
        }
    }
    if (!text.empty()) {
        add(TokenKind::PlainText, std::string(text));
    }
}

void Lexer::readText()
{
    std::size_t at = m_rest.find('{');
    while (at != std::string_view::npos &&
           (at + 1 == m_rest.size() ||
            std::string_view("{%#").find(m_rest[at + 1]) == std::string_view::npos)) {
        at = m_rest.find('{', at + 1);
    }
    if (at == std::string_view::npos) {
        add(TokenKind::PlainText, std::string(m_rest));
        advance(m_rest.size());
        return;
    }
    const char kind = m_rest[at + 1];
    const char sign = at + 2 < m_rest.size() ? m_rest[at + 2] : ' ';
    addText(m_rest.substr(0, at), sign, kind == '{');
    advance(at);
    if (kind == '#') {
        readComment();
    } else if (kind == '{' || !readRaw()) {
        readTag(kind == '%');
    }
}

void Lexer::readComment()
{
    const std::size_t end = m_rest.find("#}", 2);
    if (end == std::string_view::npos) {
        failAt(m_line, "a comment is not closed");
    }
    const char sign = end > 2 ? m_rest[end - 1] : ' ';
    advance(end + 2);
    skipAfterBlock(sign);
}

/// Reads "{% raw %} ... {% endraw %}"; false if the tag is another one.
bool Lexer::readRaw()
{
    const auto matchTag = [](std::string_view text, std::string_view word) -> std::size_t {
        std::string_view rest = text.substr(2);
        if (rest.starts_with('-') || rest.starts_with('+')) {
            rest.remove_prefix(1);
        }
        rest = trimmedStart(rest);
        if (!rest.starts_with(word)) {
            return 0;
        }
        rest = trimmedStart(rest.substr(word.size()));
        if (rest.starts_with('-') || rest.starts_with('+')) {
            rest.remove_prefix(1);
        }
        return rest.starts_with("%}") ? text.size() - rest.size() + 2 : 0;
    };
    const std::size_t begin = matchTag(m_rest, "raw");
    if (begin == 0) {
        return false;
    }
    const std::size_t firstLine = m_line;
    const bool dropsBlanks = m_rest[begin - 3] == '-';
    advance(begin);
    if (dropsBlanks) {
        skipBlanks();
    }
    for (std::size_t at = m_rest.find("{%"); at != std::string_view::npos;
         at = m_rest.find("{%", at + 2)) {
        const std::size_t length = matchTag(m_rest.substr(at), "endraw");
        if (length == 0) {
            continue;
        }
        addText(m_rest.substr(0, at), m_rest[at + 2], false);
        const char sign = m_rest[at + length - 3];
        advance(at + length);
        skipAfterBlock(sign);
        return true;
    }
    failAt(firstLine, "a raw block is not closed");
}

void Lexer::readTag(bool isBlock)
{
    add(isBlock ? TokenKind::BlockBegin : TokenKind::OutputBegin);
    const std::size_t firstLine = m_line;
    advance(2);
    if (m_rest.starts_with('-') || m_rest.starts_with('+')) {
        advance(1);
    }
    m_brackets.clear();
    while (true) {
        skipBlanks();
        if (m_rest.empty()) {
            failAt(firstLine, isBlock ? "\"{%\" is not closed" : "\"{{\" is not closed");
        }
        if (m_brackets.empty() && readTagEnd(isBlock)) {
            return;
        }
        readToken();
    }
}

bool Lexer::readTagEnd(bool isBlock)
{
    const std::string_view end = isBlock ? "%}" : "}}";
    const bool hasSign = m_rest[0] == '-' || (isBlock && m_rest[0] == '+');
    if (!m_rest.substr(hasSign ? 1 : 0).starts_with(end)) {
        return false;
    }
    const char sign = hasSign ? m_rest[0] : ' ';
    add(isBlock ? TokenKind::BlockEnd : TokenKind::OutputEnd);
    advance(hasSign ? 3 : 2);
    if (isBlock || sign == '-') {
        skipAfterBlock(sign);
    }
    return true;
}

void Lexer::readToken()
{
    if (isNameStart(m_rest[0])) {
        readName();
    } else if (isDigit(m_rest[0])) {
        readNumber();
    } else if (m_rest[0] == '"' || m_rest[0] == '\'') {
        readString();
    } else {
        readOperator();
    }
}

void Lexer::readName()
{
    std::size_t length = 1;
    while (length < m_rest.size() && (isNameStart(m_rest[length]) || isDigit(m_rest[length]))) {
        ++length;
    }
    add(TokenKind::Name, std::string(m_rest.substr(0, length)));
    advance(length);
}

void Lexer::readNumber()
{
    const auto digitsFrom = [&](std::size_t at) {
        while (at < m_rest.size() && isDigit(m_rest[at])) {
            ++at;
        }
        return at;
    };
    std::size_t length = digitsFrom(0);
    bool isFloat = false;
    if (length + 1 < m_rest.size() && m_rest[length] == '.' && isDigit(m_rest[length + 1])) {
        length = digitsFrom(length + 1);
        isFloat = true;
    }
    if (length < m_rest.size() && (m_rest[length] == 'e' || m_rest[length] == 'E')) {
        std::size_t digits = length + 1;
        if (digits < m_rest.size() && (m_rest[digits] == '+' || m_rest[digits] == '-')) {
            ++digits;
        }
        const std::size_t end = digitsFrom(digits);
        if (end > digits) {
            length = end;
            isFloat = true;
        }
    }
    add(isFloat ? TokenKind::Float : TokenKind::Integer);
    Token& token = m_tokens.back();
    const char* begin = m_rest.data();
    const auto result = isFloat ? std::from_chars(begin, begin + length, token.number)
                                : std::from_chars(begin, begin + length, token.integer);
    if (result.ec != std::errc()) {
        failAt(m_line, "the number " +
                           std::string(m_rest.substr(0, std::min<std::size_t>(length, 30))) +
                           " is too large");
    }
    advance(length);
}

void Lexer::readString()
{
    const char quote = m_rest[0];
    std::size_t end = 1;
    while (end < m_rest.size() && m_rest[end] != quote) {
        end += m_rest[end] == '\\' ? 2 : 1;
    }
    if (end >= m_rest.size()) {
        failAt(m_line, "a string is not closed");
    }
    add(TokenKind::String, unescaped(m_rest.substr(1, end - 1)));
    advance(end + 1);
}

void Lexer::readOperator()
{
    static constexpr auto kOperators = std::to_array<std::string_view>(
        {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
         "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"});
    const auto* found = std::find_if(std::begin(kOperators), std::end(kOperators),
                                     [&](std::string_view op) { return m_rest.starts_with(op); });
    if (found == std::end(kOperators)) {
        failAt(m_line, std::string("the character \"") + m_rest[0] + "\" has no meaning here");
    }
    const char first = (*found)[0];
    if (first == '(' || first == '[' || first == '{') {
        m_brackets.push_back(first == '(' ? ')' : first == '[' ? ']' : '}');
    } else if (first == ')' || first == ']' || first == '}') {
        if (m_brackets.empty() || m_brackets.back() != first) {
            failAt(m_line, std::string("\"") + first + "\" closes nothing");
        }
        m_brackets.pop_back();
    }
    add(TokenKind::Operator, std::string(*found));
    advance(found->size());
}

} // namespace

std::vector<Token> tokenize(std::string_view source)
{
    return Lexer(normalized(source)).run();
}

void failAt(std::size_t line, const std::string& message)
{
    throw Error(ErrorCode::Damaged, "The model's chat template is damaged in line " +
                                        std::to_string(line) + ": " + message +
                                        ". Choose another model, or ask without a chat template.");
}

} // namespace engine::jinja
