#include "kernels/cpu/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace kernels::cpu {
namespace {

using Work = std::function<void(std::size_t, std::size_t, std::size_t)>;

/// Between the products of a layer the next loop comes within microseconds, so waiting threads spin
/// this many times (some tens of microseconds) before they sleep.
constexpr int kSpins = 3000;

void relax()
{
#if defined(__x86_64__)
    _mm_pause();
#endif
}

} // namespace

/// One word holds the state of the current loop: its number, whether it is open and how many
/// workers are inside. Workers enter an open loop if they come in time and are not waited for
/// otherwise, so that a worker that the system has put aside delays nobody.
class ThreadPool::Impl
{
public:
    explicit Impl(std::size_t threads);
    ~Impl();
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    std::size_t threads() const { return m_workers.size() + 1; }
    void run(std::size_t count, std::size_t grain, const Work& work);

private:
    static constexpr std::uint32_t kActiveMask = 0x7FFF;
    static constexpr std::uint32_t kOpen = 0x8000;
    static constexpr std::uint32_t kNumberStep = 0x10000;

    void workerLoop(std::size_t thread);
    bool enter(std::uint32_t& seenNumber);
    void leave();
    void takePieces(std::size_t thread);
    void closeAndWait();

    std::vector<std::thread> m_workers;
    std::mutex m_callers;
    alignas(64) std::atomic<std::uint32_t> m_state{0};
    std::atomic<bool> m_stop{false};

    // The loop; written by the caller while no worker is inside.
    const Work* m_work = nullptr;
    std::size_t m_count = 0;
    std::size_t m_grain = 1;
    std::exception_ptr m_error;
    std::mutex m_errorMutex;
    alignas(64) std::atomic<std::size_t> m_next{0};
};

ThreadPool::Impl::Impl(std::size_t threads)
{
    const std::size_t workers = std::min<std::size_t>(std::max<std::size_t>(threads, 1), 1024) - 1;
    m_workers.reserve(workers);
    for (std::size_t i = 0; i < workers; ++i)
        m_workers.emplace_back([this, i] { workerLoop(i + 1); });
}

ThreadPool::Impl::~Impl()
{
    m_stop.store(true, std::memory_order_relaxed);
    m_state.fetch_add(kNumberStep, std::memory_order_release);
    m_state.notify_all();
    for (std::thread& worker : m_workers)
        worker.join();
}

void ThreadPool::Impl::run(std::size_t count, std::size_t grain, const Work& work)
{
    if (count == 0)
        return;
    grain = std::max<std::size_t>(grain, 1);
    if (m_workers.empty() || count <= grain) {
        for (std::size_t begin = 0; begin < count; begin += grain)
            work(begin, std::min(begin + grain, count), 0);
        return;
    }
    const std::lock_guard oneCaller(m_callers);
    m_work = &work;
    m_count = count;
    m_grain = grain;
    m_next.store(0, std::memory_order_relaxed);
    m_state.fetch_add(kNumberStep + kOpen, std::memory_order_release);
    m_state.notify_all();
    takePieces(0);
    closeAndWait();
    if (m_error)
        std::rethrow_exception(std::exchange(m_error, nullptr));
}

void ThreadPool::Impl::workerLoop(std::size_t thread)
{
    std::uint32_t seenNumber = 0;
    int spins = 0;
    while (true) {
        if (enter(seenNumber)) {
            takePieces(thread);
            leave();
            spins = 0;
            continue;
        }
        if (m_stop.load(std::memory_order_relaxed))
            return;
        if (++spins < kSpins) {
            relax();
            continue;
        }
        const std::uint32_t state = m_state.load(std::memory_order_acquire);
        const bool nothingNew = (state & kOpen) == 0 || state / kNumberStep == seenNumber;
        if (nothingNew && !m_stop.load(std::memory_order_relaxed))
            m_state.wait(state, std::memory_order_acquire);
    }
}

/// True when the worker is counted into a loop that it has not worked on yet.
bool ThreadPool::Impl::enter(std::uint32_t& seenNumber)
{
    std::uint32_t state = m_state.load(std::memory_order_relaxed);
    while ((state & kOpen) != 0 && state / kNumberStep != seenNumber) {
        if (m_state.compare_exchange_weak(state, state + 1, std::memory_order_acquire)) {
            seenNumber = state / kNumberStep;
            return true;
        }
    }
    return false;
}

void ThreadPool::Impl::leave()
{
    const std::uint32_t before = m_state.fetch_sub(1, std::memory_order_release);
    if ((before & kOpen) == 0 && (before & kActiveMask) == 1)
        m_state.notify_all();
}

void ThreadPool::Impl::takePieces(std::size_t thread)
{
    try {
        while (true) {
            const std::size_t begin = m_next.fetch_add(m_grain, std::memory_order_relaxed);
            if (begin >= m_count)
                return;
            (*m_work)(begin, std::min(begin + m_grain, m_count), thread);
        }
    } catch (...) {
        m_next.store(m_count, std::memory_order_relaxed);
        const std::lock_guard lock(m_errorMutex);
        if (!m_error)
            m_error = std::current_exception();
    }
}

void ThreadPool::Impl::closeAndWait()
{
    std::uint32_t state = m_state.fetch_and(~kOpen, std::memory_order_acquire) & ~kOpen;
    for (int spins = 0; (state & kActiveMask) != 0;
         state = m_state.load(std::memory_order_acquire)) {
        if (++spins < kSpins)
            relax();
        else
            m_state.wait(state, std::memory_order_acquire);
    }
}

ThreadPool::ThreadPool(std::size_t threads)
    : m_impl(std::make_unique<Impl>(threads))
{}

ThreadPool::~ThreadPool() = default;

std::size_t ThreadPool::threads() const
{
    return m_impl->threads();
}

void ThreadPool::parallelFor(std::size_t count, std::size_t grain, const Work& work)
{
    m_impl->run(count, grain, work);
}

} // namespace kernels::cpu
