#include "engine/text/jinja_parser.h"

#include <algorithm>
#include <array>
#include <utility>

namespace engine::jinja {

namespace {

/// Chains such as a + b + c make high trees without nested brackets.
constexpr std::size_t kMaxHeight = 200;

} // namespace

Expression Parser::node(ExpressionKind kind) const
{
    Expression expression;
    expression.kind = kind;
    expression.line = current().line;
    return expression;
}

ExpressionPointer Parser::finish(Expression expression) const
{
    std::size_t height = 0;
    for (const auto& operand : expression.operands) {
        height = std::max(height, operand ? operand->height : 0);
    }
    for (const auto& [name, operand] : expression.keywords) {
        height = std::max(height, operand->height);
    }
    expression.height = height + 1;
    if (expression.height > kMaxHeight) {
        fail("an expression is nested too deeply");
    }
    return std::make_unique<const Expression>(std::move(expression));
}

ExpressionPointer Parser::binary(ExpressionKind kind, std::string_view name, ExpressionPointer left,
                                 ExpressionPointer right) const
{
    Expression expression = node(kind);
    expression.line = left->line;
    expression.name.assign(name);
    expression.operands.push_back(std::move(left));
    expression.operands.push_back(std::move(right));
    return finish(std::move(expression));
}

ExpressionPointer Parser::parseTuple()
{
    ExpressionPointer first = parseExpression();
    if (!isOperator(",")) {
        return first;
    }
    Expression tuple = node(ExpressionKind::Tuple);
    tuple.operands.push_back(std::move(first));
    while (skipOperator(",")) {
        const bool isEnd = current().kind == TokenKind::BlockEnd ||
                           current().kind == TokenKind::OutputEnd || isOperator(")");
        if (isEnd) {
            break;
        }
        tuple.operands.push_back(parseExpression());
    }
    return finish(std::move(tuple));
}

ExpressionPointer Parser::parseExpression()
{
    const Level level(*this);
    ExpressionPointer value = parseOr();
    while (skipName("if")) {
        Expression conditional = node(ExpressionKind::Conditional);
        ExpressionPointer condition = parseOr();
        ExpressionPointer otherwise = skipName("else") ? parseExpression() : nullptr;
        conditional.operands.push_back(std::move(condition));
        conditional.operands.push_back(std::move(value));
        conditional.operands.push_back(std::move(otherwise));
        value = finish(std::move(conditional));
    }
    return value;
}

ExpressionPointer Parser::parseOr()
{
    ExpressionPointer first = parseAnd();
    if (!isName("or")) {
        return first;
    }
    Expression any = node(ExpressionKind::Or);
    any.operands.push_back(std::move(first));
    while (skipName("or")) {
        any.operands.push_back(parseAnd());
    }
    return finish(std::move(any));
}

ExpressionPointer Parser::parseAnd()
{
    ExpressionPointer first = parseNot();
    if (!isName("and")) {
        return first;
    }
    Expression all = node(ExpressionKind::And);
    all.operands.push_back(std::move(first));
    while (skipName("and")) {
        all.operands.push_back(parseNot());
    }
    return finish(std::move(all));
}

ExpressionPointer Parser::parseNot()
{
    if (!isName("not")) {
        return parseComparison();
    }
    const Level level(*this);
    Expression negation = node(ExpressionKind::Not);
    take();
    negation.operands.push_back(parseNot());
    return finish(std::move(negation));
}

ExpressionPointer Parser::parseComparison()
{
    ExpressionPointer first = parseSum();
    Expression comparison = node(ExpressionKind::Compare);
    comparison.operands.push_back(std::move(first));
    while (true) {
        static constexpr auto kOperators =
            std::to_array<std::string_view>({"==", "!=", "<", "<=", ">", ">="});
        const bool isComparison = current().kind == TokenKind::Operator &&
                                  std::find(std::begin(kOperators), std::end(kOperators),
                                            current().text) != std::end(kOperators);
        if (isComparison) {
            comparison.comparisons.push_back(take().text);
        } else if (skipName("in")) {
            comparison.comparisons.emplace_back("in");
        } else if (isName("not") && following().kind == TokenKind::Name &&
                   following().text == "in") {
            take();
            take();
            comparison.comparisons.emplace_back("not in");
        } else {
            break;
        }
        comparison.operands.push_back(parseSum());
    }
    return comparison.comparisons.empty() ? std::move(comparison.operands[0])
                                          : finish(std::move(comparison));
}

ExpressionPointer Parser::parseSum()
{
    ExpressionPointer left = parseConcatenation();
    while (isOperator("+") || isOperator("-")) {
        const std::string_view name = isOperator("+") ? "+" : "-";
        take();
        left = binary(ExpressionKind::Binary, name, std::move(left), parseConcatenation());
    }
    return left;
}

ExpressionPointer Parser::parseConcatenation()
{
    ExpressionPointer first = parseProduct();
    if (!isOperator("~")) {
        return first;
    }
    Expression text = node(ExpressionKind::Concatenate);
    text.operands.push_back(std::move(first));
    while (skipOperator("~")) {
        text.operands.push_back(parseProduct());
    }
    return finish(std::move(text));
}

ExpressionPointer Parser::parseProduct()
{
    ExpressionPointer left = parsePower();
    while (isOperator("*") || isOperator("/") || isOperator("//") || isOperator("%")) {
        const std::string name = take().text;
        left = binary(ExpressionKind::Binary, name, std::move(left), parsePower());
    }
    return left;
}

ExpressionPointer Parser::parsePower()
{
    ExpressionPointer left = parseUnary(true);
    while (skipOperator("**")) {
        left = binary(ExpressionKind::Binary, "**", std::move(left), parseUnary(true));
    }
    return left;
}

ExpressionPointer Parser::parseUnary(bool withFilters)
{
    ExpressionPointer operand;
    if (isOperator("-") || isOperator("+")) {
        const Level level(*this);
        Expression sign = node(isOperator("-") ? ExpressionKind::Negate : ExpressionKind::Plus);
        take();
        sign.operands.push_back(parseUnary(false));
        operand = finish(std::move(sign));
    } else {
        operand = parsePrimary();
    }
    operand = parsePostfix(std::move(operand));
    return withFilters ? parseFilters(std::move(operand), true) : std::move(operand);
}

ExpressionPointer Parser::parsePrimary()
{
    Expression literal = node(ExpressionKind::Literal);
    switch (current().kind) {
    case TokenKind::Name:
        return parseLiteralName();
    case TokenKind::Integer:
        literal.literal = {take().integer};
        return finish(std::move(literal));
    case TokenKind::Float:
        literal.literal = {take().number};
        return finish(std::move(literal));
    case TokenKind::String: {
        std::string text;
        while (current().kind == TokenKind::String) {
            text += take().text;
        }
        literal.literal = {std::make_shared<const std::string>(std::move(text))};
        return finish(std::move(literal));
    }
    default:
        break;
    }
    if (isOperator("(")) {
        return parseParenthesis();
    }
    if (isOperator("[")) {
        return parseList();
    }
    if (isOperator("{")) {
        return parseDict();
    }
    unexpected("a value");
}

ExpressionPointer Parser::parseLiteralName()
{
    Expression expression = node(ExpressionKind::Literal);
    const Token token = take();
    const std::string_view name = token.text;
    if (name == "true" || name == "True") {
        expression.literal = {true};
    } else if (name == "false" || name == "False") {
        expression.literal = {false};
    } else if (name == "none" || name == "None") {
        expression.literal = {None{}};
    } else {
        expression.kind = ExpressionKind::Name;
        expression.name = token.text;
    }
    return finish(std::move(expression));
}

ExpressionPointer Parser::parseParenthesis()
{
    const Level level(*this);
    Expression empty = node(ExpressionKind::Tuple);
    take();
    if (skipOperator(")")) {
        return finish(std::move(empty));
    }
    ExpressionPointer inside = parseTuple();
    expectOperator(")");
    return inside;
}

ExpressionPointer Parser::parseList()
{
    const Level level(*this);
    Expression list = node(ExpressionKind::List);
    take();
    while (!skipOperator("]")) {
        if (!list.operands.empty()) {
            expectOperator(",");
            if (skipOperator("]")) {
                break;
            }
        }
        list.operands.push_back(parseExpression());
    }
    return finish(std::move(list));
}

ExpressionPointer Parser::parseDict()
{
    const Level level(*this);
    Expression dict = node(ExpressionKind::Dict);
    take();
    while (!skipOperator("}")) {
        if (!dict.operands.empty()) {
            expectOperator(",");
            if (skipOperator("}")) {
                break;
            }
        }
        dict.operands.push_back(parseExpression());
        expectOperator(":");
        dict.operands.push_back(parseExpression());
    }
    return finish(std::move(dict));
}

} // namespace engine::jinja
