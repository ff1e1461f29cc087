#pragma once

#include "engine/text/jinja_value.h"

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace engine::jinja {

enum class ExpressionKind
{
    Literal,     // literal
    Name,        // name
    List,        // operands
    Tuple,       // operands
    Dict,        // operands: key, value, key, value ...
    Attribute,   // operands[0].name
    Subscript,   // operands[0][operands[1]]
    Slice,       // operands[0][operands[1]:operands[2]:operands[3]]; null where left out
    Call,        // operands[0](operands[1...], keywords)
    Filter,      // operands[0] | name(operands[1...], keywords); operands[0] null in a filter block
    Test,        // operands[0] is name(operands[1...])
    Not,         // not operands[0]
    Negate,      // - operands[0]
    Plus,        // + operands[0]
    Binary,      // operands[0] name operands[1], arithmetic
    Concatenate, // operands joined as text
    Compare,     // operands[0] comparisons[0] operands[1] comparisons[1] ...
    And,         // operands
    Or,          // operands
    Conditional  // operands[1] if operands[0] else operands[2] (null if left out)
};

struct Expression;
using ExpressionPointer = std::unique_ptr<const Expression>;

struct Expression
{
    ExpressionKind kind = ExpressionKind::Literal;
    std::size_t line = 0;
    std::size_t height = 1; // levels of nodes below and with this one
    Value literal;
    std::string name; // also the operator of Binary
    std::vector<ExpressionPointer> operands;
    std::vector<std::pair<std::string, ExpressionPointer>> keywords;
    std::vector<std::string> comparisons;
};

enum class StatementKind
{
    PlainText, // text
    Output,    // value
    If,        // branches, otherwise
    For,       // for targets in value if condition: body, otherwise
    Set,       // targets = value, or targets[0].attribute = value
    SetBlock,  // the same with the text of body, through the filters of `value` if it is there
    Macro, // text (name), targets (parameters), values (defaults, null where there is none), body
    CallBlock,   // value (a call), targets and values as for a macro, body
    FilterBlock, // value (filters), body
    With,        // targets, values, body
    Group,       // body
    Break,
    Continue
};

struct Statement;
using Body = std::vector<Statement>;

struct Branch;

struct Statement
{
    StatementKind kind = StatementKind::PlainText;
    std::size_t line = 0;
    std::string text;
    std::vector<std::string> targets;
    std::string attribute;
    ExpressionPointer value;
    ExpressionPointer condition;
    std::vector<ExpressionPointer> values;
    std::vector<Branch> branches;
    Body body;
    Body otherwise;
};

struct Branch
{
    ExpressionPointer condition;
    Body body;
};

} // namespace engine::jinja
