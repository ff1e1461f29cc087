#pragma once

#include <array>
#include <vector>

#include "resources/models/reader_design.h"

namespace resources {

/// A word of kCodeBits signs, +1 or -1.
using TokenCode = std::array<float, kCodeBits>;

/// One code for each token id: all words of kCodeBits signs, in a fixed shuffled order so that
/// every single sign splits frequent tokens evenly.
std::vector<TokenCode> tokenCodes();

} // namespace resources
