#include "engine/text/jinja_parser.h"

#include "engine/error.h"

#include <algorithm>
#include <array>
#include <utility>

namespace engine::jinja {

namespace {

constexpr std::size_t kMaxLevels = 200;

} // namespace

Parser::Level::Level(Parser& parser)
    : m_parser(parser)
{
    if (parser.m_levels >= kMaxLevels) {
        parser.fail("it is nested too deeply");
    }
    ++parser.m_levels;
}

Parser::Parser(std::vector<Token> tokens)
    : m_tokens(std::move(tokens))
{}

Body Parser::parse()
{
    return parseBody({});
}

/// Statements up to a tag whose name is in `ends` (its "{%" is taken, its name is current) or the
/// end.
Body Parser::parseBody(std::initializer_list<std::string_view> ends)
{
    const Level level(*this);
    const std::size_t firstLine = current().line;
    Body body;
    while (current().kind != TokenKind::End) {
        if (current().kind == TokenKind::PlainText) {
            Statement text = start(StatementKind::PlainText);
            text.text = take().text;
            body.push_back(std::move(text));
        } else if (current().kind == TokenKind::OutputBegin) {
            body.push_back(parseOutput());
        } else {
            take();
            if (current().kind == TokenKind::Name &&
                std::find(ends.begin(), ends.end(), current().text) != ends.end()) {
                return body;
            }
            body.push_back(parseStatement());
        }
    }
    if (ends.size() != 0) {
        fail("the block that begins in line " + std::to_string(firstLine) + " has no \"" +
             std::string(*(ends.end() - 1)) + "\"");
    }
    return body;
}

Statement Parser::parseOutput()
{
    Statement statement = start(StatementKind::Output);
    take();
    statement.value = parseTuple();
    if (current().kind != TokenKind::OutputEnd) {
        unexpected("\"}}\"");
    }
    take();
    return statement;
}

Statement Parser::parseStatement()
{
    using Rule = Statement (Parser::*)();
    static constexpr auto kRules = std::to_array<std::pair<std::string_view, Rule>>({
        {"if", &Parser::parseIf},
        {"for", &Parser::parseFor},
        {"set", &Parser::parseSet},
        {"macro", &Parser::parseMacro},
        {"call", &Parser::parseCallBlock},
        {"filter", &Parser::parseFilterBlock},
        {"with", &Parser::parseWith},
        {"generation", &Parser::parseGroup},
    });
    static constexpr auto kOutside = std::to_array<std::string_view>(
        {"include", "import", "from", "extends", "block", "autoescape", "do", "trans"});
    const Statement begin = start(StatementKind::Break);
    const std::string name = takeName("the name of a tag");
    for (const auto& [tag, rule] : kRules) {
        if (tag == name) {
            Statement statement = (this->*rule)();
            statement.line = begin.line;
            return statement;
        }
    }
    if (name == "break" || name == "continue") {
        if (m_loops == 0) {
            fail("\"" + name + "\" is outside of a loop");
        }
        Statement statement =
            start(name == "break" ? StatementKind::Break : StatementKind::Continue);
        endTag(name);
        return statement;
    }
    if (std::find(std::begin(kOutside), std::end(kOutside), name) != std::end(kOutside)) {
        throw Error(ErrorCode::Unsupported,
                    "The model's chat template uses the tag \"" + name + "\" in line " +
                        std::to_string(begin.line) +
                        ", which this program does not support. Choose another "
                        "model, or ask without a chat template.");
    }
    fail("there is no place for the tag \"" + name.substr(0, 40) + "\" here");
}

Statement Parser::parseIf()
{
    Statement statement = start(StatementKind::If);
    do {
        Branch branch;
        branch.condition = parseTuple();
        endTag("if");
        branch.body = parseBody({"elif", "else", "endif"});
        statement.branches.push_back(std::move(branch));
    } while (skipName("elif"));
    if (skipName("else")) {
        endTag("else");
        statement.otherwise = parseBody({"endif"});
    }
    expectName("endif");
    endTag("endif");
    return statement;
}

Statement Parser::parseFor()
{
    Statement statement = start(StatementKind::For);
    statement.targets = parseTargets();
    expectName("in");
    // The condition of a filtered loop must not be taken for a conditional expression.
    ExpressionPointer first = parseOr();
    if (isOperator(",")) {
        Expression tuple = node(ExpressionKind::Tuple);
        tuple.operands.push_back(std::move(first));
        while (skipOperator(",")) {
            tuple.operands.push_back(parseOr());
        }
        first = finish(std::move(tuple));
    }
    statement.value = std::move(first);
    if (skipName("if")) {
        statement.condition = parseExpression();
    }
    if (isName("recursive")) {
        throw Error(ErrorCode::Unsupported,
                    "The model's chat template uses a recursive loop in line " +
                        std::to_string(current().line) +
                        ", which this program does not support. Choose another "
                        "model, or ask without a chat template.");
    }
    endTag("for");
    ++m_loops;
    statement.body = parseBody({"else", "endfor"});
    --m_loops;
    if (skipName("else")) {
        endTag("else");
        statement.otherwise = parseBody({"endfor"});
    }
    expectName("endfor");
    endTag("endfor");
    return statement;
}

Statement Parser::parseSet()
{
    Statement statement = start(StatementKind::Set);
    statement.targets = parseTargets();
    if (skipOperator(".")) {
        if (statement.targets.size() != 1) {
            fail("only one name can be set together with an attribute");
        }
        statement.attribute = takeName("an attribute's name");
    }
    if (skipOperator("=")) {
        statement.value = parseTuple();
        endTag("set");
        return statement;
    }
    statement.kind = StatementKind::SetBlock;
    if (statement.targets.size() != 1) {
        unexpected("\"=\"");
    }
    statement.value = parseFilters(nullptr, false);
    endTag("set");
    statement.body = parseBody({"endset"});
    expectName("endset");
    endTag("endset");
    return statement;
}

void Parser::parseParameters(Statement& statement)
{
    expectOperator("(");
    while (!skipOperator(")")) {
        if (!statement.targets.empty()) {
            expectOperator(",");
        }
        statement.targets.push_back(takeName("a parameter's name"));
        statement.values.push_back(skipOperator("=") ? parseExpression() : nullptr);
    }
}

Statement Parser::parseMacro()
{
    Statement statement = start(StatementKind::Macro);
    statement.text = takeName("the macro's name");
    parseParameters(statement);
    endTag("macro");
    const std::size_t loops = std::exchange(m_loops, 0);
    statement.body = parseBody({"endmacro"});
    m_loops = loops;
    expectName("endmacro");
    endTag("endmacro");
    return statement;
}

Statement Parser::parseCallBlock()
{
    Statement statement = start(StatementKind::CallBlock);
    if (isOperator("(")) {
        parseParameters(statement);
    }
    statement.value = parseExpression();
    if (statement.value->kind != ExpressionKind::Call) {
        fail("a call block needs a call");
    }
    endTag("call");
    const std::size_t loops = std::exchange(m_loops, 0);
    statement.body = parseBody({"endcall"});
    m_loops = loops;
    expectName("endcall");
    endTag("endcall");
    return statement;
}

Statement Parser::parseFilterBlock()
{
    Statement statement = start(StatementKind::FilterBlock);
    statement.value = parseFilters(parseFilter(nullptr), false);
    endTag("filter");
    statement.body = parseBody({"endfilter"});
    expectName("endfilter");
    endTag("endfilter");
    return statement;
}

Statement Parser::parseWith()
{
    Statement statement = start(StatementKind::With);
    while (current().kind != TokenKind::BlockEnd) {
        if (!statement.targets.empty()) {
            expectOperator(",");
        }
        statement.targets.push_back(takeName("a variable's name"));
        expectOperator("=");
        statement.values.push_back(parseExpression());
    }
    endTag("with");
    statement.body = parseBody({"endwith"});
    expectName("endwith");
    endTag("endwith");
    return statement;
}

/// "{% generation %}" only marks the assistant's text for training.
Statement Parser::parseGroup()
{
    Statement statement = start(StatementKind::Group);
    endTag("generation");
    statement.body = parseBody({"endgeneration"});
    expectName("endgeneration");
    endTag("endgeneration");
    return statement;
}

std::vector<std::string> Parser::parseTargets()
{
    const bool isEnclosed = skipOperator("(");
    std::vector<std::string> names{takeName("a variable's name")};
    while (skipOperator(",")) {
        names.push_back(takeName("a variable's name"));
    }
    if (isEnclosed) {
        expectOperator(")");
    }
    return names;
}

void Parser::endTag(std::string_view name)
{
    if (current().kind != TokenKind::BlockEnd) {
        unexpected("the end of the tag \"" + std::string(name) + "\"");
    }
    take();
}

Statement Parser::start(StatementKind kind) const
{
    Statement statement;
    statement.kind = kind;
    statement.line = current().line;
    return statement;
}

} // namespace engine::jinja
