#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>

namespace app {

/// A thread that owns one State and runs tasks on it, one after the other. Nobody else ever touches
/// the State, so it needs no lock. Tasks must not throw; call() carries exceptions back.
template <typename State>
class TaskThread
{
public:
    using Task = std::function<void(State&)>;

    /// `make` runs on the new thread.
    explicit TaskThread(std::function<std::unique_ptr<State>()> make)
        : m_thread([this, make = std::move(make)] { run(make); })
    {}

    /// Lets the running task end and drops the others.
    ~TaskThread()
    {
        {
            const std::scoped_lock lock(m_mutex);
            m_ending = true;
            m_tasks.clear();
        }
        m_changed.notify_all();
        m_thread.join();
    }

    TaskThread(const TaskThread&) = delete;
    TaskThread& operator=(const TaskThread&) = delete;

    void post(Task task)
    {
        {
            const std::scoped_lock lock(m_mutex);
            if (m_ending)
                return;
            m_tasks.push_back(std::move(task));
        }
        m_changed.notify_one();
    }

    /// Runs `work` on the thread and waits for its result. Not to be called from the thread itself.
    template <typename Work>
    auto call(const Work& work) -> std::invoke_result_t<Work, State&>
    {
        using Result = std::invoke_result_t<Work, State&>;
        auto promise = std::make_shared<std::promise<Result>>();
        auto result = promise->get_future();
        post([promise, &work](State& state) {
            try {
                if constexpr (std::is_void_v<Result>) {
                    work(state);
                    promise->set_value();
                } else {
                    promise->set_value(work(state));
                }
            } catch (...) {
                promise->set_exception(std::current_exception());
            }
        });
        return result.get();
    }

    /// From inside a long task: runs the tasks that have come in since, so that a question does not
    /// wait for the end of a preparation.
    void runWaiting(State& state)
    {
        for (Task task = take(); task; task = take())
            task(state);
    }

private:
    Task take()
    {
        const std::scoped_lock lock(m_mutex);
        if (m_tasks.empty())
            return {};
        Task task = std::move(m_tasks.front());
        m_tasks.pop_front();
        return task;
    }

    void run(const std::function<std::unique_ptr<State>()>& make)
    {
        const std::unique_ptr<State> state = make();
        for (;;) {
            {
                std::unique_lock lock(m_mutex);
                m_changed.wait(lock, [this] { return m_ending || !m_tasks.empty(); });
                if (m_ending)
                    return;
            }
            runWaiting(*state);
        }
    }

    std::mutex m_mutex;
    std::condition_variable m_changed;
    std::deque<Task> m_tasks;
    bool m_ending = false;
    std::thread m_thread; // last: starts when everything else is there
};

} // namespace app
