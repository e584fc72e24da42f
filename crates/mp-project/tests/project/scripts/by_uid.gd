extends Parent

const Parent = preload("uid://bmpproject1aa")
