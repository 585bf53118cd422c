// Shifts by more bits than the type has: the undefined-behaviour sanitizer must say so.
int main() {
  const volatile int bits = 40;
  const volatile int one = 1;
  return (one << bits) == 0 ? 0 : 1;
}
