#pragma once

#include "engine/methods/answering.h"
#include "engine/methods/shared_keys.h"

#include <memory>
#include <vector>

namespace engine {

class Context;

/// What a context must know about its shared keys: the groups and who is near whom.
std::vector<std::byte> writeSharedKeys(const SharedKeys& keys);

/// Questions about a context whose layers share keys. Throws Damaged when the state, or the pages
/// without keys, are not what PoD leaves.
std::unique_ptr<AnswerMethod> makePodAnswer(const Context& context);

} // namespace engine
