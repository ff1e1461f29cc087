#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace kernels::cpu {

/// A fixed set of worker threads for data-parallel loops. The calling thread works too, so a pool
/// of one runs everything in the caller and starts no thread.
class ThreadPool
{
public:
    explicit ThreadPool(std::size_t threads);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    std::size_t threads() const;

    /// Calls work(begin, end, thread) for disjoint ranges that cover [0, count), in pieces of at
    /// most `grain` (at least 1), and returns when all are done. Which thread takes which piece is
    /// not fixed: a piece's result must not depend on it. `thread` is in [0, threads()), for
    /// scratch memory. Must not be called from inside `work`.
    void parallelFor(std::size_t count, std::size_t grain,
                     const std::function<void(std::size_t, std::size_t, std::size_t)>& work);

private:
    class Impl;
    std::unique_ptr<Impl> m_impl;
};

} // namespace kernels::cpu
