#pragma once

#include "engine/text/chat_template.h"
#include "engine/text/jinja_value.h"

#include <chrono>
#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace engine::jinja {

/// What one rendering owns and may use up: its values, and budgets of steps, work and nesting.
class Runtime
{
public:
    Runtime(const TemplateLimits& limits, std::chrono::system_clock::time_point now);
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;

    /// Counts one node that is evaluated. Throws TooLarge.
    void step();
    /// Counts bytes that are read or written, so that few steps cannot do much work. Throws
    /// TooLarge. To be called before the memory is taken.
    void charge(std::size_t bytes);
    /// The same for the elements of containers.
    void chargeItems(std::size_t count);
    /// The cost of looking through a value once, without what its elements hold.
    void chargeValue(const Value& value);
    void checkOutput(std::size_t bytes) const;

    Value text(std::string text);
    Value array(std::vector<Value> items, bool isTuple = false);
    Value dict(std::vector<std::pair<std::string, Value>> entries = {});
    Value function(Function function);
    Loop& loop(std::vector<Value> items);
    Scope& scope(Scope* parent);

    /// Throws BadInput with the line that is being evaluated.
    [[noreturn]] void fail(const std::string& message) const;
    /// Throws Unsupported, naming what the subset lacks.
    [[noreturn]] void lacks(const std::string& what) const;
    /// Throws TooLarge with what the template does too much of.
    [[noreturn]] void exceed(const std::string& what) const;

    std::chrono::system_clock::time_point now() const { return m_now; }
    const TemplateLimits& limits() const { return m_limits; }

    std::size_t line = 0; // of the node that is being evaluated

    /// Counts a level of recursion as long as it lives.
    class Level
    {
    public:
        explicit Level(Runtime& runtime);
        ~Level() { --m_runtime.m_levels; }
        Level(const Level&) = delete;
        Level& operator=(const Level&) = delete;

    private:
        Runtime& m_runtime;
    };

private:
    TemplateLimits m_limits;
    std::chrono::system_clock::time_point m_now;
    std::size_t m_steps = 0;
    std::size_t m_work = 0;
    std::size_t m_levels = 0;
    std::deque<Array> m_arrays;
    std::deque<Dict> m_dicts;
    std::deque<Function> m_functions;
    std::deque<Loop> m_loops;
    std::deque<Scope> m_scopes;
};

} // namespace engine::jinja
