#include "engine/text/jinja_parser.h"

#include <algorithm>
#include <array>
#include <utility>

namespace engine::jinja {

ExpressionPointer Parser::parsePostfix(ExpressionPointer operand)
{
    while (true) {
        if (isOperator(".")) {
            operand = parseAttribute(std::move(operand));
        } else if (isOperator("[")) {
            operand = parseSubscript(std::move(operand));
        } else if (isOperator("(")) {
            Expression call = node(ExpressionKind::Call);
            call.operands.push_back(std::move(operand));
            parseArguments(call);
            operand = finish(std::move(call));
        } else {
            return operand;
        }
    }
}

ExpressionPointer Parser::parseAttribute(ExpressionPointer operand)
{
    take();
    if (current().kind == TokenKind::Integer) {
        Expression index = node(ExpressionKind::Literal);
        index.literal = {take().integer};
        return binary(ExpressionKind::Subscript, {}, std::move(operand), finish(std::move(index)));
    }
    Expression attribute = node(ExpressionKind::Attribute);
    attribute.name = takeName("an attribute's name");
    attribute.operands.push_back(std::move(operand));
    return finish(std::move(attribute));
}

ExpressionPointer Parser::parseSubscript(ExpressionPointer operand)
{
    const Level level(*this);
    Expression slice = node(ExpressionKind::Slice);
    take();
    slice.operands.push_back(std::move(operand));
    std::size_t colons = 0;
    std::array<ExpressionPointer, 3> parts;
    while (!isOperator("]")) {
        if (isOperator(":") && colons < 2) {
            take();
            ++colons;
        } else if (!parts[colons]) {
            parts[colons] = parseExpression();
        } else {
            unexpected("\"]\"");
        }
    }
    if (colons == 0) {
        if (!parts[0]) {
            unexpected("an index");
        }
        take();
        return binary(ExpressionKind::Subscript, {}, std::move(slice.operands[0]),
                      std::move(parts[0]));
    }
    take();
    for (ExpressionPointer& part : parts) {
        slice.operands.push_back(std::move(part));
    }
    return finish(std::move(slice));
}

/// Filters; with `withTestsAndCalls` also tests, and calls of what a filter gave.
ExpressionPointer Parser::parseFilters(ExpressionPointer operand, bool withTestsAndCalls)
{
    while (true) {
        if (skipOperator("|")) {
            operand = parseFilter(std::move(operand));
        } else if (withTestsAndCalls && skipName("is")) {
            operand = parseTest(std::move(operand));
        } else if (withTestsAndCalls && isOperator("(")) {
            operand = parsePostfix(std::move(operand));
        } else {
            return operand;
        }
    }
}

/// From the filter's name on.
ExpressionPointer Parser::parseFilter(ExpressionPointer operand)
{
    Expression filter = node(ExpressionKind::Filter);
    filter.name = takeName("a filter's name");
    filter.operands.push_back(std::move(operand));
    if (isOperator("(")) {
        parseArguments(filter);
    }
    return finish(std::move(filter));
}

/// From the word after "is" on.
ExpressionPointer Parser::parseTest(ExpressionPointer operand)
{
    Expression test = node(ExpressionKind::Test);
    const bool isNegated = skipName("not");
    test.name = takeName("a test's name");
    test.operands.push_back(std::move(operand));
    static constexpr auto kWords =
        std::to_array<std::string_view>({"else", "or", "and", "is", "if", "in", "not"});
    const bool isWord =
        current().kind == TokenKind::Name &&
        std::find(std::begin(kWords), std::end(kWords), current().text) != std::end(kWords);
    if (isOperator("(")) {
        parseArguments(test);
    } else if ((current().kind == TokenKind::Name && !isWord) ||
               current().kind == TokenKind::String || current().kind == TokenKind::Integer ||
               current().kind == TokenKind::Float || isOperator("[") || isOperator("{")) {
        test.operands.push_back(parsePostfix(parsePrimary()));
    }
    ExpressionPointer result = finish(std::move(test));
    if (!isNegated) {
        return result;
    }
    Expression negation = node(ExpressionKind::Not);
    negation.operands.push_back(std::move(result));
    return finish(std::move(negation));
}

/// Appends the arguments in brackets to the call's operands and keywords.
void Parser::parseArguments(Expression& call)
{
    const Level level(*this);
    expectOperator("(");
    bool isFirst = true;
    while (!skipOperator(")")) {
        if (!isFirst) {
            expectOperator(",");
            if (skipOperator(")")) {
                break;
            }
        }
        isFirst = false;
        if (isOperator("*") || isOperator("**")) {
            fail("arguments with \"*\" are not supported");
        }
        const bool isKeyword = current().kind == TokenKind::Name &&
                               following().kind == TokenKind::Operator && following().text == "=";
        if (isKeyword) {
            std::string name = take().text;
            take();
            call.keywords.emplace_back(std::move(name), parseExpression());
        } else if (!call.keywords.empty()) {
            fail("an argument without a name follows one with a name");
        } else {
            call.operands.push_back(parseExpression());
        }
    }
}

} // namespace engine::jinja
