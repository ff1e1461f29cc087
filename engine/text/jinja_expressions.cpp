#include "engine/text/jinja_calls.h"
#include "engine/text/jinja_interpreter.h"
#include "engine/text/jinja_operations.h"

#include <algorithm>
#include <array>
#include <utility>

namespace engine::jinja {

Value Interpreter::evaluate(const Expression& expression, Scope& scope)
{
    const Runtime::Level level(m_runtime);
    m_runtime.step();
    const std::size_t outerLine = std::exchange(m_runtime.line, expression.line);
    Value value = evaluateNode(expression, scope);
    m_runtime.line = outerLine;
    return value;
}

Value Interpreter::evaluateNode(const Expression& expression, Scope& scope)
{
    const auto operand = [&](std::size_t i) { return evaluate(*expression.operands[i], scope); };
    switch (expression.kind) {
    case ExpressionKind::Literal:
        return expression.literal;
    case ExpressionKind::Name:
        return lookUp(expression.name, scope);
    case ExpressionKind::List:
    case ExpressionKind::Tuple:
        return m_runtime.array(evaluateAll(expression, 0, scope),
                               expression.kind == ExpressionKind::Tuple);
    case ExpressionKind::Dict:
        return evaluateDict(expression, scope);
    case ExpressionKind::Attribute:
        return attributeOf(m_runtime, operand(0), expression.name);
    case ExpressionKind::Subscript: {
        const Value value = operand(0);
        return itemOf(m_runtime, value, operand(1));
    }
    case ExpressionKind::Slice:
        return evaluateSlice(expression, scope);
    case ExpressionKind::Call:
        return call(expression, scope, nullptr);
    case ExpressionKind::Filter:
        return evaluateFilters(&expression, {}, scope);
    case ExpressionKind::Test: {
        const Value value = operand(0);
        return {applyTest(m_runtime, expression.name, value, evaluateArguments(expression, scope))};
    }
    case ExpressionKind::Not:
        return {!isTrue(operand(0))};
    case ExpressionKind::Negate:
        return negated(m_runtime, operand(0));
    case ExpressionKind::Plus:
        return arithmetic(m_runtime, "+", {std::int64_t{0}}, operand(0));
    case ExpressionKind::Binary: {
        const Value left = operand(0);
        return arithmetic(m_runtime, expression.name, left, operand(1));
    }
    case ExpressionKind::Concatenate:
        return evaluateConcatenation(expression, scope);
    case ExpressionKind::Compare:
        return {evaluateComparison(expression, scope)};
    case ExpressionKind::And:
    case ExpressionKind::Or:
        return evaluateLogic(expression, scope);
    case ExpressionKind::Conditional:
        if (isTrue(operand(0))) {
            return operand(1);
        }
        return expression.operands[2] ? operand(2) : Value{};
    }
    return {};
}

Value Interpreter::lookUp(const std::string& name, Scope& scope)
{
    for (const Scope* s = &scope; s != nullptr; s = s->parent) {
        m_runtime.charge(s->variables.size());
    }
    if (const Value* found = scope.find(name)) {
        return *found;
    }
    if (isGlobal(name)) {
        return m_runtime.function({Function::Kind::Global, name, {}});
    }
    return {Undefined{std::make_shared<const std::string>(name)}};
}

std::vector<Value> Interpreter::evaluateAll(const Expression& expression, std::size_t first,
                                            Scope& scope)
{
    std::vector<Value> values;
    for (std::size_t i = first; i < expression.operands.size(); ++i) {
        values.push_back(evaluate(*expression.operands[i], scope));
    }
    return values;
}

Arguments Interpreter::evaluateArguments(const Expression& expression, Scope& scope)
{
    Arguments arguments{evaluateAll(expression, 1, scope), {}};
    for (const auto& [name, value] : expression.keywords) {
        arguments.keywords.emplace_back(name, evaluate(*value, scope));
    }
    return arguments;
}

Value Interpreter::evaluateDict(const Expression& expression, Scope& scope)
{
    Value value = m_runtime.dict();
    for (std::size_t i = 0; i + 1 < expression.operands.size(); i += 2) {
        const Value key = evaluate(*expression.operands[i], scope);
        if (!key.is<Text>()) {
            m_runtime.lacks("a mapping whose keys are not strings");
        }
        Dict& dict = *value.as<Dict*>();
        m_runtime.chargeItems(2);
        m_runtime.charge(dict.entries.size());
        dict.set(key.text(), evaluate(*expression.operands[i + 1], scope));
    }
    return value;
}

Value Interpreter::evaluateSlice(const Expression& expression, Scope& scope)
{
    std::array<Value, 4> parts;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (expression.operands[i]) {
            parts[i] = evaluate(*expression.operands[i], scope);
        }
    }
    return sliceOf(m_runtime, parts[0], parts[1], parts[2], parts[3]);
}

bool Interpreter::evaluateComparison(const Expression& expression, Scope& scope)
{
    Value left = evaluate(*expression.operands[0], scope);
    for (std::size_t i = 0; i < expression.comparisons.size(); ++i) {
        Value right = evaluate(*expression.operands[i + 1], scope);
        if (!compare(m_runtime, expression.comparisons[i], left, right)) {
            return false;
        }
        left = std::move(right);
    }
    return true;
}

Value Interpreter::evaluateConcatenation(const Expression& expression, Scope& scope)
{
    std::string text;
    for (const auto& operand : expression.operands) {
        append(text, toText(m_runtime, evaluate(*operand, scope)));
    }
    return m_runtime.text(std::move(text));
}

/// The value that decides, not only whether it is true.
Value Interpreter::evaluateLogic(const Expression& expression, Scope& scope)
{
    Value value;
    for (const auto& operand : expression.operands) {
        value = evaluate(*operand, scope);
        if (isTrue(value) == (expression.kind == ExpressionKind::Or)) {
            return value;
        }
    }
    return value;
}

/// Applies a chain of filters; its innermost one, if it has no operand of its own, takes `input`.
Value Interpreter::evaluateFilters(const Expression* expression, const Value& input, Scope& scope)
{
    if (expression == nullptr) {
        return input;
    }
    const Expression* inner = expression->operands[0].get();
    const bool isChain = inner == nullptr || inner->kind == ExpressionKind::Filter;
    const Runtime::Level level(m_runtime);
    m_runtime.step();
    const Value value = isChain ? evaluateFilters(inner, input, scope) : evaluate(*inner, scope);
    m_runtime.line = expression->line;
    return applyFilter(m_runtime, expression->name, value, evaluateArguments(*expression, scope));
}

Value Interpreter::call(const Expression& expression, Scope& scope, const Value* caller)
{
    const Value callee = evaluate(*expression.operands[0], scope);
    if (callee.is<Undefined>()) {
        const Text& name = callee.as<Undefined>().name;
        m_runtime.lacks("the function \"" + (name ? name->substr(0, 40) : std::string()) + "\"");
    }
    if (callee.is<const Loop*>()) {
        m_runtime.lacks("a recursive loop");
    }
    if (!callee.is<const Function*>()) {
        m_runtime.fail(std::string(typeName(callee)) + " cannot be called");
    }
    const Function& function = *callee.as<const Function*>();
    const Arguments arguments = evaluateArguments(expression, scope);
    switch (function.kind) {
    case Function::Kind::Global:
        return callGlobal(m_runtime, function.name, arguments);
    case Function::Kind::Method:
        return callMethod(m_runtime, function.self, function.name, arguments);
    case Function::Kind::Macro:
        break;
    }
    return callMacro(function, arguments, caller);
}

Value Interpreter::callMacro(const Function& function, const Arguments& arguments,
                             const Value* caller)
{
    if (m_calls >= m_runtime.limits().depth) {
        m_runtime.exceed("calls its macros too deeply");
    }
    const Statement& macro = *function.macro;
    const std::string name = "the macro \"" + function.name + "\"";
    if (arguments.positional.size() > macro.targets.size()) {
        m_runtime.fail(name + " is called with too many arguments");
    }
    for (const auto& keyword : arguments.keywords) {
        if (std::find(macro.targets.begin(), macro.targets.end(), keyword.first) ==
            macro.targets.end()) {
            m_runtime.fail(name + " has no parameter \"" + keyword.first + "\"");
        }
    }
    Scope& inner = m_runtime.scope(function.scope);
    if (caller != nullptr) {
        inner.set("caller", *caller);
    }
    ++m_calls;
    for (std::size_t i = 0; i < macro.targets.size(); ++i) {
        const std::string& parameter = macro.targets[i];
        const Value* given = arguments.find(i, parameter);
        if (given != nullptr) {
            inner.set(parameter, *given);
        } else if (macro.values[i]) {
            inner.set(parameter, evaluate(*macro.values[i], inner));
        } else {
            inner.set(parameter, {Undefined{std::make_shared<const std::string>(parameter)}});
        }
    }
    std::string text = capture(macro.body, inner);
    --m_calls;
    return m_runtime.text(std::move(text));
}

} // namespace engine::jinja
