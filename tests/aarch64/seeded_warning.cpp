// A plain char is unsigned here: what looks for a negative one finds none, and the compiler says so.
#if defined(SKUA_CONTROL)
using Letter = signed char;
#else
using Letter = char;
#endif

bool is_beyond_ascii(Letter letter);
bool is_beyond_ascii(Letter letter) { return letter < 0; }
