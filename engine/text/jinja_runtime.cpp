#include "engine/text/jinja_runtime.h"

#include "engine/error.h"

#include <utility>

namespace engine::jinja {

namespace {

/// Work that a template may do per byte of output that it may write.
constexpr std::size_t kWorkPerOutputByte = 8;
constexpr std::size_t kItemBytes = 32;
/// Levels of evaluation (expressions, statements) per level of macro calls.
constexpr std::size_t kLevelsPerCall = 12;

} // namespace

Runtime::Runtime(const TemplateLimits& limits, std::chrono::system_clock::time_point now)
    : m_limits(limits)
    , m_now(now)
{}

void Runtime::step()
{
    if (++m_steps > m_limits.steps) {
        exceed("takes too many steps");
    }
}

void Runtime::charge(std::size_t bytes)
{
    const std::size_t limit = m_limits.outputBytes * kWorkPerOutputByte;
    if (bytes > limit || m_work > limit - bytes) {
        exceed("handles too much text");
    }
    m_work += bytes;
}

void Runtime::chargeItems(std::size_t count)
{
    if (count > m_limits.outputBytes) {
        exceed("makes too long a list");
    }
    charge(count * kItemBytes);
}

void Runtime::chargeValue(const Value& value)
{
    if (value.is<Text>()) {
        charge(value.text().size());
    } else if (value.is<Array*>()) {
        chargeItems(value.as<Array*>()->items.size());
    } else if (value.is<Dict*>()) {
        chargeItems(value.as<Dict*>()->entries.size());
    }
}

void Runtime::checkOutput(std::size_t bytes) const
{
    if (bytes > m_limits.outputBytes) {
        exceed("writes too much text");
    }
}

Value Runtime::text(std::string text)
{
    charge(text.size());
    return {std::make_shared<const std::string>(std::move(text))};
}

Value Runtime::array(std::vector<Value> items, bool isTuple)
{
    chargeItems(items.size() + 1);
    return {&m_arrays.emplace_back(Array{std::move(items), isTuple})};
}

Value Runtime::dict(std::vector<std::pair<std::string, Value>> entries)
{
    chargeItems(2 * entries.size() + 1);
    return {&m_dicts.emplace_back(Dict{std::move(entries)})};
}

Value Runtime::function(Function function)
{
    chargeItems(2);
    return {static_cast<const Function*>(&m_functions.emplace_back(std::move(function)))};
}

Loop& Runtime::loop(std::vector<Value> items)
{
    chargeItems(items.size() + 2);
    Loop& loop = m_loops.emplace_back();
    loop.items = std::move(items);
    return loop;
}

Scope& Runtime::scope(Scope* parent)
{
    chargeItems(1);
    Scope& scope = m_scopes.emplace_back();
    scope.parent = parent;
    return scope;
}

void Runtime::fail(const std::string& message) const
{
    throw Error(ErrorCode::BadInput,
                "The model's chat template cannot be applied to this conversation (line " +
                    std::to_string(line) + " of the template): " + message + ".");
}

void Runtime::lacks(const std::string& what) const
{
    throw Error(ErrorCode::Unsupported,
                "The model's chat template uses " + what + " in line " + std::to_string(line) +
                    ", which this program does not support. Choose another model, "
                    "or ask without a chat template.");
}

void Runtime::exceed(const std::string& what) const
{
    throw Error(ErrorCode::TooLarge,
                "The model's chat template " + what + " (line " + std::to_string(line) +
                    " of the template). Choose another model, or ask without a chat "
                    "template.");
}

Runtime::Level::Level(Runtime& runtime)
    : m_runtime(runtime)
{
    if (m_runtime.m_levels >= m_runtime.m_limits.depth * kLevelsPerCall) {
        m_runtime.exceed("is nested too deeply");
    }
    ++m_runtime.m_levels;
}

} // namespace engine::jinja
