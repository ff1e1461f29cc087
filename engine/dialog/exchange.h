#pragma once

#include <string>

namespace engine {

/// A question that was asked before and the answer that was given.
struct Exchange
{
    std::string question;
    std::string answer;
};

} // namespace engine
