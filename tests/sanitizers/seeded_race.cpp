// Two threads write one variable without a lock: the thread sanitizer must say so.
#include <thread>

int main() {
  int shared = 0;
  std::thread other([&shared] {
    for (int i = 0; i < 1000; ++i) shared += i;
  });
  for (int i = 0; i < 1000; ++i) shared -= i;
  other.join();
  return shared == 0 ? 0 : 1;
}
