#pragma once

#include "app/library/records.h"

#include <string>
#include <vector>

namespace app {

/// The text of the pages that a person names: "3-5" or "7" each, counted from 1. Pages without text
/// are left out. Throws engine::Error(BadInput) that says which pages there are.
std::vector<engine::ByteRange> pinnedText(const std::vector<PageRecord>& pages,
                                          const std::vector<std::string>& names);

} // namespace app
