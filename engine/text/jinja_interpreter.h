#pragma once

#include "engine/text/jinja_ast.h"
#include "engine/text/jinja_runtime.h"

#include <cstddef>
#include <string>
#include <vector>

namespace engine::jinja {

/// Runs a parsed template once. The template has to outlive the interpreter.
class Interpreter
{
public:
    explicit Interpreter(Runtime& runtime);

    std::string run(const Body& body, const TemplateValue::Object& variables);

private:
    enum class Flow
    {
        Onward,
        Break,
        Continue
    };

    // jinja_interpreter.cpp: statements
    Flow execute(const Body& body, Scope& scope, std::string& out);
    Flow execute(const Statement& statement, Scope& scope, std::string& out);
    Flow executeIf(const Statement& statement, Scope& scope, std::string& out);
    Flow executeFor(const Statement& statement, Scope& scope, std::string& out);
    void executeSet(const Statement& statement, Scope& scope, const Value& value);
    void executeWith(const Statement& statement, Scope& scope, std::string& out);
    std::vector<Value> loopItems(const Statement& statement, Scope& scope);
    void assign(const std::vector<std::string>& targets, Scope& scope, const Value& value);
    std::string capture(const Body& body, Scope& scope);
    void append(std::string& out, const std::string& text);
    Value macro(const Statement& statement, Scope& scope);

    // jinja_expressions.cpp
    Value evaluate(const Expression& expression, Scope& scope);
    Value evaluateNode(const Expression& expression, Scope& scope);
    Value lookUp(const std::string& name, Scope& scope);
    Value evaluateDict(const Expression& expression, Scope& scope);
    Value evaluateSlice(const Expression& expression, Scope& scope);
    bool evaluateComparison(const Expression& expression, Scope& scope);
    Value evaluateConcatenation(const Expression& expression, Scope& scope);
    Value evaluateLogic(const Expression& expression, Scope& scope);
    std::vector<Value> evaluateAll(const Expression& expression, std::size_t first, Scope& scope);
    Arguments evaluateArguments(const Expression& expression, Scope& scope);
    Value evaluateFilters(const Expression* expression, const Value& input, Scope& scope);
    Value call(const Expression& expression, Scope& scope, const Value* caller);
    Value callMacro(const Function& function, const Arguments& arguments, const Value* caller);

    Runtime& m_runtime;
    std::size_t m_calls = 0; // macros that are running
};

} // namespace engine::jinja
