#pragma once

#include "engine/text/chat_template.h"

#include <string>
#include <vector>

namespace tests {

/// One rendering with its variables, and the text or the error's message that must come of it.
struct TemplateCase
{
    std::string description;
    engine::TemplateValue::Object variables;
    std::string expected;
    bool isError = false;
};

struct TemplateFile
{
    std::string name;
    std::string source;
    std::vector<TemplateCase> cases;
};

/// The golden templates with their cases; empty if the folder is not there.
std::vector<TemplateFile> goldenTemplates();

} // namespace tests
