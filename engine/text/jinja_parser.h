#pragma once

#include "engine/text/jinja_ast.h"
#include "engine/text/jinja_lexer.h"

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace engine::jinja {

/// Recursive descent over a template's tokens. Nesting is limited, so hostile templates cannot
/// exhaust the stack. Errors are Damaged, or Unsupported for tags outside the subset, and name the
/// line.
class Parser
{
public:
    explicit Parser(std::vector<Token> tokens);

    /// The whole template.
    Body parse();

private:
    /// One level of recursion.
    class Level
    {
    public:
        explicit Level(Parser& parser);
        ~Level() { --m_parser.m_levels; }
        Level(const Level&) = delete;
        Level& operator=(const Level&) = delete;

    private:
        Parser& m_parser;
    };

    // jinja_parser.cpp: statements
    Body parseBody(std::initializer_list<std::string_view> ends);
    Statement parseStatement();
    Statement parseOutput();
    Statement parseIf();
    Statement parseFor();
    Statement parseSet();
    Statement parseMacro();
    Statement parseCallBlock();
    Statement parseFilterBlock();
    Statement parseWith();
    Statement parseGroup();
    void parseParameters(Statement& statement);
    std::vector<std::string> parseTargets();
    void endTag(std::string_view name);
    Statement start(StatementKind kind) const;

    // jinja_parser_expressions.cpp
    ExpressionPointer parseExpression();
    ExpressionPointer parseTuple(); // an expression or several with commas between
    ExpressionPointer parseOr();
    ExpressionPointer parseAnd();
    ExpressionPointer parseNot();
    ExpressionPointer parseComparison();
    ExpressionPointer parseSum();
    ExpressionPointer parseConcatenation();
    ExpressionPointer parseProduct();
    ExpressionPointer parsePower();
    ExpressionPointer parseUnary(bool withFilters);
    ExpressionPointer parsePrimary();
    ExpressionPointer parseLiteralName();
    ExpressionPointer parseParenthesis();
    ExpressionPointer parseList();
    ExpressionPointer parseDict();
    ExpressionPointer parsePostfix(ExpressionPointer operand);
    ExpressionPointer parseAttribute(ExpressionPointer operand);
    ExpressionPointer parseSubscript(ExpressionPointer operand);
    ExpressionPointer parseFilters(ExpressionPointer operand, bool withTestsAndCalls);
    ExpressionPointer parseFilter(ExpressionPointer operand);
    ExpressionPointer parseTest(ExpressionPointer operand);
    void parseArguments(Expression& call);

    Expression node(ExpressionKind kind) const;
    ExpressionPointer finish(Expression expression) const;
    ExpressionPointer binary(ExpressionKind kind, std::string_view name, ExpressionPointer left,
                             ExpressionPointer right) const;

    // tokens
    const Token& current() const { return m_tokens[m_position]; }
    const Token& following() const;
    Token take();
    bool isOperator(std::string_view text) const;
    bool isName(std::string_view text) const;
    bool skipOperator(std::string_view text);
    bool skipName(std::string_view text);
    void expectOperator(std::string_view text);
    void expectName(std::string_view text);
    std::string takeName(std::string_view what);
    [[noreturn]] void fail(const std::string& message) const;
    [[noreturn]] void unexpected(std::string_view wanted) const;

    std::vector<Token> m_tokens;
    std::size_t m_position = 0;
    std::size_t m_levels = 0;
    std::size_t m_loops = 0; // for statements around the current one, inside the innermost macro
};

} // namespace engine::jinja
