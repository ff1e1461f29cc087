#pragma once

#include "app/documents/markup.h"

namespace app {

/// The tolerant half of visitMarkup(): reads anything as HTML 5. `bytes` are taken for UTF-8.
void visitHtml(std::string_view bytes, const std::string& description, MarkupVisitor& visitor);

[[noreturn]] void refuseDepth(const std::string& description);

} // namespace app
