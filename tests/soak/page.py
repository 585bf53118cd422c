def page_of(told): return ""
