#include "engine/text/jinja_parser.h"

#include <algorithm>
#include <utility>

namespace engine::jinja {

namespace {

std::string quoted(std::string_view text)
{
    std::string result(1, '"');
    result.append(text).push_back('"');
    return result;
}

std::string shownAs(const Token& token)
{
    switch (token.kind) {
    case TokenKind::PlainText:
        return "text";
    case TokenKind::OutputBegin:
        return "\"{{\"";
    case TokenKind::OutputEnd:
        return "\"}}\"";
    case TokenKind::BlockBegin:
        return "\"{%\"";
    case TokenKind::BlockEnd:
        return "\"%}\"";
    case TokenKind::String:
        return "a string";
    case TokenKind::Integer:
    case TokenKind::Float:
        return "a number";
    case TokenKind::End:
        return "the end of the template";
    case TokenKind::Name:
    case TokenKind::Operator:
        break;
    }
    return quoted(std::string_view(token.text).substr(0, 40));
}

} // namespace

const Token& Parser::following() const
{
    return m_tokens[std::min(m_position + 1, m_tokens.size() - 1)];
}

/// Moves past the current token; the end is never passed.
Token Parser::take()
{
    Token token = std::move(m_tokens[m_position]);
    m_position += m_position + 1 < m_tokens.size() ? 1 : 0;
    return token;
}

bool Parser::isOperator(std::string_view text) const
{
    return current().kind == TokenKind::Operator && current().text == text;
}

bool Parser::isName(std::string_view text) const
{
    return current().kind == TokenKind::Name && current().text == text;
}

bool Parser::skipOperator(std::string_view text)
{
    const bool isThere = isOperator(text);
    if (isThere) {
        take();
    }
    return isThere;
}

bool Parser::skipName(std::string_view text)
{
    const bool isThere = isName(text);
    if (isThere) {
        take();
    }
    return isThere;
}

void Parser::expectOperator(std::string_view text)
{
    if (!skipOperator(text)) {
        unexpected(quoted(text));
    }
}

void Parser::expectName(std::string_view text)
{
    if (!skipName(text)) {
        unexpected(quoted(text));
    }
}

std::string Parser::takeName(std::string_view what)
{
    if (current().kind != TokenKind::Name) {
        unexpected(what);
    }
    return take().text;
}

void Parser::fail(const std::string& message) const
{
    failAt(current().line, message);
}

void Parser::unexpected(std::string_view wanted) const
{
    fail("there is " + shownAs(current()) + " where " + std::string(wanted) + " belongs");
}

} // namespace engine::jinja
