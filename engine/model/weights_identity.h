#pragma once

#include "engine/hash/sha256.h"

#include <cstddef>
#include <span>
#include <string_view>

namespace engine {

/// Adds a line to an identity.
void hashLine(Sha256& hash, std::string_view text);

/// Adds a tensor's bytes to an identity: all of a small one, so that weights which differ in a few
/// rows are told apart; the start, the middle and the end of a larger one, so that a file of
/// gigabytes is not read for it.
void hashTensorBytes(Sha256& hash, std::span<const std::byte> data);

} // namespace engine
