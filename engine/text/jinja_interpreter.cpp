#include "engine/text/jinja_interpreter.h"

#include "engine/text/jinja_calls.h"
#include "engine/text/jinja_operations.h"

#include <utility>

namespace engine::jinja {

namespace {

Value toValue(Runtime& runtime, const TemplateValue& source)
{
    const Runtime::Level level(runtime);
    if (std::holds_alternative<std::nullptr_t>(source.data)) {
        return {None{}};
    }
    if (const auto* flag = std::get_if<bool>(&source.data)) {
        return {*flag};
    }
    if (const auto* integer = std::get_if<std::int64_t>(&source.data)) {
        return {*integer};
    }
    if (const auto* number = std::get_if<double>(&source.data)) {
        return {*number};
    }
    if (const auto* text = std::get_if<std::string>(&source.data)) {
        return runtime.text(*text);
    }
    if (const auto* items = std::get_if<TemplateValue::Array>(&source.data)) {
        std::vector<Value> values;
        for (const TemplateValue& item : *items) {
            values.push_back(toValue(runtime, item));
        }
        return runtime.array(std::move(values));
    }
    std::vector<std::pair<std::string, Value>> entries;
    for (const auto& [key, value] : std::get<TemplateValue::Object>(source.data)) {
        runtime.charge(key.size());
        entries.emplace_back(key, toValue(runtime, value));
    }
    return runtime.dict(std::move(entries));
}

} // namespace

Interpreter::Interpreter(Runtime& runtime)
    : m_runtime(runtime)
{}

std::string Interpreter::run(const Body& body, const TemplateValue::Object& variables)
{
    Scope& scope = m_runtime.scope(nullptr);
    for (const auto& [name, value] : variables) {
        scope.set(name, toValue(m_runtime, value));
    }
    std::string out;
    execute(body, scope, out);
    return out;
}

Interpreter::Flow Interpreter::execute(const Body& body, Scope& scope, std::string& out)
{
    const Runtime::Level level(m_runtime);
    for (const Statement& statement : body) {
        const Flow flow = execute(statement, scope, out);
        if (flow != Flow::Onward) {
            return flow;
        }
    }
    return Flow::Onward;
}

Interpreter::Flow Interpreter::execute(const Statement& statement, Scope& scope, std::string& out)
{
    m_runtime.line = statement.line;
    m_runtime.step();
    switch (statement.kind) {
    case StatementKind::PlainText:
        append(out, statement.text);
        return Flow::Onward;
    case StatementKind::Output:
        append(out, toText(m_runtime, evaluate(*statement.value, scope)));
        return Flow::Onward;
    case StatementKind::If:
        return executeIf(statement, scope, out);
    case StatementKind::For:
        return executeFor(statement, scope, out);
    case StatementKind::Set:
        executeSet(statement, scope, evaluate(*statement.value, scope));
        return Flow::Onward;
    case StatementKind::SetBlock: {
        const Value text = m_runtime.text(capture(statement.body, scope));
        executeSet(statement, scope, evaluateFilters(statement.value.get(), text, scope));
        return Flow::Onward;
    }
    case StatementKind::Macro:
        scope.set(statement.text, macro(statement, scope));
        return Flow::Onward;
    case StatementKind::CallBlock: {
        const Value caller = macro(statement, scope);
        append(out, toText(m_runtime, call(*statement.value, scope, &caller)));
        return Flow::Onward;
    }
    case StatementKind::FilterBlock: {
        const Value text = m_runtime.text(capture(statement.body, scope));
        append(out, toText(m_runtime, evaluateFilters(statement.value.get(), text, scope)));
        return Flow::Onward;
    }
    case StatementKind::With:
        executeWith(statement, scope, out);
        return Flow::Onward;
    case StatementKind::Group:
        return execute(statement.body, scope, out);
    case StatementKind::Break:
        return Flow::Break;
    case StatementKind::Continue:
        return Flow::Continue;
    }
    return Flow::Onward;
}

Interpreter::Flow Interpreter::executeIf(const Statement& statement, Scope& scope, std::string& out)
{
    for (const Branch& branch : statement.branches) {
        if (isTrue(evaluate(*branch.condition, scope))) {
            return execute(branch.body, scope, out);
        }
    }
    return execute(statement.otherwise, scope, out);
}

/// The elements that the loop's condition lets through.
std::vector<Value> Interpreter::loopItems(const Statement& statement, Scope& scope)
{
    std::vector<Value> items = elementsOf(m_runtime, evaluate(*statement.value, scope));
    if (!statement.condition) {
        return items;
    }
    std::vector<Value> chosen;
    Scope& inner = m_runtime.scope(&scope);
    for (Value& item : items) {
        assign(statement.targets, inner, item);
        if (isTrue(evaluate(*statement.condition, inner))) {
            chosen.push_back(std::move(item));
        }
    }
    return chosen;
}

Interpreter::Flow Interpreter::executeFor(const Statement& statement, Scope& scope,
                                          std::string& out)
{
    Loop& loop = m_runtime.loop(loopItems(statement, scope));
    if (loop.items.empty()) {
        return execute(statement.otherwise, scope, out);
    }
    Scope& inner = m_runtime.scope(&scope);
    for (loop.index = 0; loop.index < loop.items.size(); ++loop.index) {
        m_runtime.step();
        inner.variables.clear(); // what one round sets is gone in the next
        inner.set("loop", {static_cast<const Loop*>(&loop)});
        assign(statement.targets, inner, loop.items[loop.index]);
        if (execute(statement.body, inner, out) == Flow::Break) {
            break;
        }
    }
    return Flow::Onward;
}

void Interpreter::executeSet(const Statement& statement, Scope& scope, const Value& value)
{
    if (statement.attribute.empty()) {
        assign(statement.targets, scope, value);
        return;
    }
    const Value target = lookUp(statement.targets[0], scope);
    if (!target.is<Dict*>() || !target.as<Dict*>()->isNamespace) {
        m_runtime.fail("\"" + statement.targets[0] +
                       "\" is no namespace, so its attributes cannot be set");
    }
    m_runtime.charge(target.as<Dict*>()->entries.size());
    target.as<Dict*>()->set(statement.attribute, value);
}

void Interpreter::executeWith(const Statement& statement, Scope& scope, std::string& out)
{
    Scope& inner = m_runtime.scope(&scope);
    for (std::size_t i = 0; i < statement.targets.size(); ++i) {
        inner.set(statement.targets[i], evaluate(*statement.values[i], scope));
    }
    execute(statement.body, inner, out);
}

void Interpreter::assign(const std::vector<std::string>& targets, Scope& scope, const Value& value)
{
    m_runtime.charge(scope.variables.size());
    if (targets.size() == 1) {
        scope.set(targets[0], value);
        return;
    }
    const std::vector<Value> parts = elementsOf(m_runtime, value);
    if (parts.size() != targets.size()) {
        m_runtime.fail("there are " + std::to_string(targets.size()) + " names for " +
                       std::to_string(parts.size()) + " values");
    }
    for (std::size_t i = 0; i < targets.size(); ++i) {
        scope.set(targets[i], parts[i]);
    }
}

std::string Interpreter::capture(const Body& body, Scope& scope)
{
    std::string out;
    execute(body, scope, out);
    return out;
}

void Interpreter::append(std::string& out, const std::string& text)
{
    m_runtime.checkOutput(out.size() + text.size());
    m_runtime.charge(text.size());
    out += text;
}

Value Interpreter::macro(const Statement& statement, Scope& scope)
{
    Function function;
    function.kind = Function::Kind::Macro;
    function.name = statement.text;
    function.macro = &statement;
    function.scope = &scope;
    return m_runtime.function(std::move(function));
}

} // namespace engine::jinja
