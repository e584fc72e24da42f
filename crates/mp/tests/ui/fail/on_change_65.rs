use mp::Node;

#[derive(Node)]
struct Player {
    #[replicate(on_change)]
    p0: i64,
    #[replicate(on_change)]
    p1: i64,
    #[replicate(on_change)]
    p2: i64,
    #[replicate(on_change)]
    p3: i64,
    #[replicate(on_change)]
    p4: i64,
    #[replicate(on_change)]
    p5: i64,
    #[replicate(on_change)]
    p6: i64,
    #[replicate(on_change)]
    p7: i64,
    #[replicate(on_change)]
    p8: i64,
    #[replicate(on_change)]
    p9: i64,
    #[replicate(on_change)]
    p10: i64,
    #[replicate(on_change)]
    p11: i64,
    #[replicate(on_change)]
    p12: i64,
    #[replicate(on_change)]
    p13: i64,
    #[replicate(on_change)]
    p14: i64,
    #[replicate(on_change)]
    p15: i64,
    #[replicate(on_change)]
    p16: i64,
    #[replicate(on_change)]
    p17: i64,
    #[replicate(on_change)]
    p18: i64,
    #[replicate(on_change)]
    p19: i64,
    #[replicate(on_change)]
    p20: i64,
    #[replicate(on_change)]
    p21: i64,
    #[replicate(on_change)]
    p22: i64,
    #[replicate(on_change)]
    p23: i64,
    #[replicate(on_change)]
    p24: i64,
    #[replicate(on_change)]
    p25: i64,
    #[replicate(on_change)]
    p26: i64,
    #[replicate(on_change)]
    p27: i64,
    #[replicate(on_change)]
    p28: i64,
    #[replicate(on_change)]
    p29: i64,
    #[replicate(on_change)]
    p30: i64,
    #[replicate(on_change)]
    p31: i64,
    #[replicate(on_change)]
    p32: i64,
    #[replicate(on_change)]
    p33: i64,
    #[replicate(on_change)]
    p34: i64,
    #[replicate(on_change)]
    p35: i64,
    #[replicate(on_change)]
    p36: i64,
    #[replicate(on_change)]
    p37: i64,
    #[replicate(on_change)]
    p38: i64,
    #[replicate(on_change)]
    p39: i64,
    #[replicate(on_change)]
    p40: i64,
    #[replicate(on_change)]
    p41: i64,
    #[replicate(on_change)]
    p42: i64,
    #[replicate(on_change)]
    p43: i64,
    #[replicate(on_change)]
    p44: i64,
    #[replicate(on_change)]
    p45: i64,
    #[replicate(on_change)]
    p46: i64,
    #[replicate(on_change)]
    p47: i64,
    #[replicate(on_change)]
    p48: i64,
    #[replicate(on_change)]
    p49: i64,
    #[replicate(on_change)]
    p50: i64,
    #[replicate(on_change)]
    p51: i64,
    #[replicate(on_change)]
    p52: i64,
    #[replicate(on_change)]
    p53: i64,
    #[replicate(on_change)]
    p54: i64,
    #[replicate(on_change)]
    p55: i64,
    #[replicate(on_change)]
    p56: i64,
    #[replicate(on_change)]
    p57: i64,
    #[replicate(on_change)]
    p58: i64,
    #[replicate(on_change)]
    p59: i64,
    #[replicate(on_change)]
    p60: i64,
    #[replicate(on_change)]
    p61: i64,
    #[replicate(on_change)]
    p62: i64,
    #[replicate(on_change)]
    p63: i64,
    #[replicate(on_change)]
    p64: i64,
}

fn main() {}
