// Forgets a buffer: the leak sanitizer must say so at exit.
int main() {
  int* volatile forgotten = new int[16]();
  forgotten[0] = 1;
  forgotten = nullptr;
  return forgotten == nullptr ? 0 : 1;
}
