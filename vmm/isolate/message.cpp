#include "vmm/isolate/message.h"

#include "vmm/isolate/codec_stats.h"

namespace carrel::isolate {

template <class Codec>
void code(Codec& codec, Error& error) {
    code_enum(codec, error.fault, Fault::kHost);
    code_each(codec, error.what, error.advice);
}

template <class Codec>
void code(Codec& codec, Order& order) {
    code(codec, order.id);
    code_enum(codec, order.what, Order::What::kStats);
    code_each(codec, order.patience, order.text);
}

template <class Codec>
void code(Codec& codec, Answer& answer) {
    code_each(codec, answer.order, answer.refused, answer.stats);
}

template <class Codec>
void code(Codec& codec, News& news) {
    code_enum(codec, news.kind, GuestEvent::Kind::kDeleted);
    code_enum(codec, news.state, GuestState::kEnded);
    code_each(codec, news.detail, news.why, news.end, news.stats);
}

template <class Codec>
void code(Codec& codec, Seated& seated) {
    code(codec, seated.place);
}

std::vector<std::byte> to_bytes(Order order) {
    Put put;
    code(put, order);
    return std::move(put.bytes()).take();
}

std::vector<std::byte> to_bytes(Word word) {
    Put put;
    auto which = static_cast<uint8_t>(word.index());
    code(put, which);
    std::visit([&put](auto& one) { code(put, one); }, word);
    return std::move(put.bytes()).take();
}

std::optional<Order> order_of(std::span<const std::byte> bytes) {
    Take take(bytes);
    Order order;
    code(take, order);
    return take.whole() ? std::optional(std::move(order)) : std::nullopt;
}

std::optional<Word> word_of(std::span<const std::byte> bytes) {
    Take take(bytes);
    uint8_t which = 0;
    code(take, which);
    Word word;
    if (which == 1) word = News{};
    if (which == 2) word = Seated{};
    if (which > 2) return std::nullopt;
    std::visit([&take](auto& one) { code(take, one); }, word);
    return take.whole() ? std::optional(std::move(word)) : std::nullopt;
}

}  // namespace carrel::isolate
