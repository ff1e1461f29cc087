#pragma once

#include <cstddef>
#include <functional>

namespace engine {

/// Calls work(begin, end) for disjoint pieces of [0, count), of at most about `grain`, on several
/// threads where there are some. What a piece leaves must not depend on the thread or on how the
/// range was cut.
using ParallelFor = std::function<void(std::size_t count, std::size_t grain,
                                       const std::function<void(std::size_t, std::size_t)>& work)>;

/// Everything in one piece, on the calling thread.
inline void inOnePiece(std::size_t count, std::size_t /*grain*/,
                       const std::function<void(std::size_t, std::size_t)>& work)
{
    work(0, count);
}

} // namespace engine
