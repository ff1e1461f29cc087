#include "kernels/cpu/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <doctest/doctest.h>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

using kernels::cpu::ThreadPool;

TEST_CASE("every index is visited once, in pieces of at most the grain")
{
    for (const std::size_t threads : {1U, 2U, 3U, 8U}) {
        ThreadPool pool(threads);
        CHECK(pool.threads() == threads);
        for (const std::size_t count : {0U, 1U, 5U, 64U, 1000U}) {
            for (const std::size_t grain : {0U, 1U, 3U, 64U, 2000U}) {
                std::vector<std::atomic<int>> visits(count);
                std::atomic<std::size_t> largest{0};
                std::atomic<bool> threadInRange{true};
                pool.parallelFor(count, grain,
                                 [&](std::size_t begin, std::size_t end, std::size_t thread) {
                                     std::size_t seen = largest.load();
                                     while (seen < end - begin &&
                                            !largest.compare_exchange_weak(seen, end - begin)) {
                                     }
                                     if (thread >= threads)
                                         threadInRange = false;
                                     for (std::size_t i = begin; i < end; ++i)
                                         ++visits[i];
                                 });
                CHECK(std::ranges::all_of(visits, [](const auto& n) { return n.load() == 1; }));
                CHECK(largest.load() <= std::max<std::size_t>(grain, 1));
                CHECK(threadInRange.load());
            }
        }
    }
}

TEST_CASE("plain memory written by a loop is seen by the caller and by the next loop")
{
    ThreadPool pool(3);
    std::vector<int> values(257, 0);
    for (int round = 0; round < 2000; ++round) {
        pool.parallelFor(values.size(), 16, [&](std::size_t begin, std::size_t end, std::size_t) {
            for (std::size_t i = begin; i < end; ++i)
                ++values[i];
        });
    }
    CHECK(std::ranges::all_of(values, [](int value) { return value == 2000; }));
}

TEST_CASE("a pool of one works in the calling thread")
{
    ThreadPool pool(1);
    std::set<std::thread::id> ids;
    pool.parallelFor(10, 1, [&](std::size_t, std::size_t, std::size_t thread) {
        ids.insert(std::this_thread::get_id());
        CHECK(thread == 0);
    });
    CHECK(ids == std::set{std::this_thread::get_id()});
    CHECK(ThreadPool(0).threads() == 1);
}

TEST_CASE("two pieces that wait for each other both run")
{
    ThreadPool pool(2);
    std::atomic<int> arrived{0};
    pool.parallelFor(2, 1, [&](std::size_t, std::size_t, std::size_t) {
        ++arrived;
        while (arrived.load() < 2)
            std::this_thread::yield();
    });
    CHECK(arrived.load() == 2);
}

TEST_CASE("an exception of the work reaches the caller and the pool stays usable")
{
    for (const std::size_t threads : {1U, 2U, 4U}) {
        ThreadPool pool(threads);
        for (std::size_t bad : {0U, 57U, 99U}) {
            const auto run = [&] {
                pool.parallelFor(100, 1, [&](std::size_t begin, std::size_t, std::size_t) {
                    if (begin == bad)
                        throw std::runtime_error("bad piece");
                });
            };
            CHECK_THROWS_WITH_AS(run(), "bad piece", std::runtime_error);
            std::atomic<int> count{0};
            pool.parallelFor(100, 7, [&](std::size_t begin, std::size_t end, std::size_t) {
                count += static_cast<int>(end - begin);
            });
            CHECK(count.load() == 100);
        }
    }
}

TEST_CASE("pools come and go, used or not")
{
    for (int i = 0; i < 50; ++i) {
        ThreadPool unused(4);
        ThreadPool used(2);
        std::atomic<std::size_t> sum{0};
        used.parallelFor(4, 1, [&](std::size_t begin, std::size_t, std::size_t) { sum += begin; });
        CHECK(sum.load() == 6);
    }
}
